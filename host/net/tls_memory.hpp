// OpenSSL's memory. A connection that waits keeps no room for records (SSL_MODE_RELEASE_BUFFERS),
// so that each message has OpenSSL allocate two blocks of some 17 KB and free them again: by
// malloc(3) that takes as long as a tenth of all it computes for a short message. A few are kept.
#pragma once

namespace berth {

// To be called before there are other threads. False, and malloc(3) remains, where OpenSSL has
// allocated something before.
bool keep_room_for_records();

}  // namespace berth
