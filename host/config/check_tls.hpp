// The part of checking a config that needs its certificates and keys: they are read, with the
// rights of who checks, and tried with OpenSSL in a child that is thrown away, so that the caller
// never runs any of it.
#pragma once

#include "base/source.hpp"
#include "supervise/config_files.hpp"
#include "supervise/host_settings.hpp"

namespace berth {

// Reads the files of each listener into its settings, and gives all of them. `warnings` are of what
// is served all the same: a key that everybody can read.
[[nodiscard]] ConfigFiles read_tls_files(HostSettings& settings, Diagnostics& problems,
                                         Diagnostics& warnings);
// Fills in files that were read before instead; what is missing among them is a problem.
void fill_in_tls_files(HostSettings& settings, const ConfigFiles& files, Diagnostics& problems);

// Whether certificates, keys and ciphers can be served with. After read_tls_files(); of listeners
// of which a file could not be read nothing more is told.
void check_tls(const HostSettings& settings, Diagnostics& problems);

}  // namespace berth
