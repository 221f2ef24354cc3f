#include "config/check_tls.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <deque>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/format.hpp"
#include "net/tls_server.hpp"
#include "plugin/try_in_child.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

// Far above any chain of certificates; a file beyond it was named by mistake.
constexpr std::size_t kLongestFile = std::size_t{1} << 20;

std::array<TlsFile*, 3> files_of(TlsSettings& tls) {
  return {&tls.certificate, &tls.key, &tls.client_ca};
}

Error cannot_read(const fs::path& file, int error) {
  Error told = system_error("cannot read " + file.string(), error);
  if (error == EACCES) told.message += " (certificates are read by the user who starts the host)";
  return told;
}

void warn_of_readers(const TlsFile& key, mode_t mode, Diagnostics& warnings) {
  if ((mode & S_IRWXO) == 0) return;
  const std::string file = key.path.string();
  warnings.add(key.where,
               formatted("{} has a private key, and every user of this machine may open it (mode "
                         "{:04o}): chmod o= {}",
                         file, mode & 07777, file));
}

struct ReadFile {
  Secret text;
  mode_t mode = 0;
};

Result<ReadFile> read_file(const fs::path& path) {
  // What blocks when it is opened, a FIFO, is no file for this.
  const Fd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat status {};
  if (!opened || ::fstat(opened.get(), &status) != 0) return cannot_read(path, errno);
  if (S_ISDIR(status.st_mode)) return Error{path.string() + " is a folder; give a file"};
  if (!S_ISREG(status.st_mode)) return Error{path.string() + " is not a regular file"};
  auto text = Secret::read(opened.get(), kLongestFile);
  if (!text) return Error{"cannot read " + path.string() + ": " + text.error().message};
  if (text.value().empty()) return Error{path.string() + " is empty"};
  return ReadFile{std::move(*text), status.st_mode};
}

bool has_all_texts(const TlsSettings& tls) {
  const auto has_text = [](const TlsFile& file) {
    return !file.path.empty() && !file.text.empty();
  };
  const bool needs_ca = tls.client_certificate != ClientCertificate::none;
  const bool has_ca = has_text(tls.client_ca) || (!needs_ca && tls.client_ca.path.empty());
  return has_text(tls.certificate) && has_text(tls.key) && has_ca;
}

Position place_of(TlsMistake::In in, const TlsSettings& tls) {
  switch (in) {
    case TlsMistake::In::certificate:
      return tls.certificate.where;
    case TlsMistake::In::key:
      return tls.key.where;
    case TlsMistake::In::client_ca:
      return tls.client_ca.where;
    case TlsMistake::In::ciphers:
      return tls.where.ciphers;
    case TlsMistake::In::ciphersuites:
      return tls.where.ciphersuites;
  }
  return tls.where.all;
}

// In the child: every problem as `LINE COLUMN MESSAGE`, a line each.
std::string problems_of(const std::vector<const TlsSettings*>& all) {
  std::ostringstream out;
  for (const TlsSettings* tls : all) {
    for (const TlsMistake& mistake : mistakes_in(*tls)) {
      const Position where = place_of(mistake.in, *tls);
      out << where.line << ' ' << where.column << ' ' << mistake.message << '\n';
    }
  }
  return out.str();
}

}  // namespace

ConfigFiles read_tls_files(HostSettings& settings, Diagnostics& problems, Diagnostics& warnings) {
  ConfigFiles files;
  // Read once, however many listeners name it: all of them have the same.
  std::map<fs::path, Result<ReadFile>> all;
  for (ListenerSettings& listener : settings.listeners) {
    if (!listener.tls) continue;
    for (TlsFile* file : files_of(*listener.tls)) {
      if (file->path.empty()) continue;
      auto known = all.find(file->path);
      if (known == all.end()) known = all.emplace(file->path, read_file(file->path)).first;
      const auto& [path, read] = *known;
      if (!read) {
        problems.add(file->where, read.error().message);
        continue;
      }
      file->text = files[path] = read.value().text;
      if (file == &listener.tls->key) warn_of_readers(*file, read.value().mode, warnings);
    }
  }
  return files;
}

void fill_in_tls_files(HostSettings& settings, const ConfigFiles& files, Diagnostics& problems) {
  for (ListenerSettings& listener : settings.listeners) {
    if (!listener.tls) continue;
    for (TlsFile* file : files_of(*listener.tls)) {
      if (file->path.empty()) continue;
      if (const auto known = files.find(file->path); known != files.end()) {
        file->text = known->second;
      } else {
        problems.add(file->where, file->path.string() + " was not passed on with the config");
      }
    }
  }
}

void check_tls(const HostSettings& settings, Diagnostics& problems) {
  std::vector<const TlsSettings*> all;
  std::deque<SharedWithChildren> shared;
  for (const ListenerSettings& listener : settings.listeners) {
    if (!listener.tls || !has_all_texts(*listener.tls)) continue;
    all.push_back(&*listener.tls);
    for (const TlsFile* file :
         {&listener.tls->certificate, &listener.tls->key, &listener.tls->client_ca}) {
      shared.emplace_back(file->text);
    }
  }
  if (all.empty()) return;
  const auto found = try_in_child([&] { return problems_of(all); });
  if (!found) {
    problems.add(all.front()->where.all, "checking the certificates " + found.error().message);
    return;
  }
  std::istringstream lines(found.value());
  Position where;
  std::string message;
  while (lines >> where.line >> where.column && std::getline(lines >> std::ws, message)) {
    problems.add(where, message);
  }
}

}  // namespace berth
