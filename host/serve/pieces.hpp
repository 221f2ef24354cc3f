// What is to be sent, in order and as if it were one: the pieces of an ABI's write as they are.
#pragma once

#include <berth/abi.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace berth {

using Pieces = std::span<const berth_bytes>;

static_assert(sizeof(berth_bytes) == sizeof(iovec) &&
              offsetof(berth_bytes, data) == offsetof(iovec, iov_base) &&
              offsetof(berth_bytes, size) == offsetof(iovec, iov_len));

// The same pieces for a msghdr; the kernel, which alone reads them by this, does not write there.
inline iovec* as_iovec(Pieces pieces) {
  return reinterpret_cast<iovec*>(const_cast<berth_bytes*>(pieces.data()));
}

// Whether they are more bytes than that.
inline bool are_longer(Pieces pieces, std::size_t size) {
  for (const berth_bytes& piece : pieces) {
    if (piece.size > size) return true;
    size -= piece.size;
  }
  return false;
}

// Sends as many bytes as there is room for, with the flags of send(2): how many, or -errno.
[[nodiscard]] ssize_t send_pieces(int socket, Pieces pieces, int flags);

}  // namespace berth
