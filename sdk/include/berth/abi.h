/* The binary interface between berth and a handler: C11, standard headers only.
 *
 * A handler is a shared object that exports one function, berth_plugin_entry(). It returns a table
 * of the handler's functions (berth_plugin); the host gives each connection a table of its own
 * functions (berth_host). Anything that makes a shared object can be a handler: C, Rust, Zig,
 * another C++ compiler or standard library. C++ authors use <berth/handler.hpp>, which is written
 * on top of this header and nothing else.
 *
 * Versions. BERTH_ABI_MAJOR changes when something here changes its meaning; such a plugin is
 * refused. BERTH_ABI_MINOR grows when something is appended. Tables grow only at their end and
 * begin with their size: who reads one reads no further than that size. An older plugin runs on
 * every newer host of the same major version; a plugin with a newer minor version than the host is
 * refused.
 *
 * Threads. All calls for one connection, in both directions, are made one at a time. Under the
 * models with an event loop all connections of a worker share one thread; under `thread` each
 * session has its own, and serve() runs on several at once. A session is never moved to another
 * thread between two calls that the handler can see, except that its process is a fork of the one
 * that called create() under the fork models. Only what a handler asks to be called in the
 * background (berth_host.background) runs beside all this, on a thread of the host's own.
 *
 * Signals. Some are the host's, and a handler neither blocks nor handles them: SIGURG where a
 * session has a thread or a process to itself, which ends its wait for a client that has been
 * silent for the listener's idle_timeout; and, where it has a process, SIGTERM and SIGHUP, by which
 * a drain and its deadline reach it.
 *
 * No exception may leave a function of either side.
 */
#ifndef BERTH_ABI_H
#define BERTH_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_ABI_MAGIC UINT64_C(0x0a48545245420d1a)
#define BERTH_ABI_MAJOR UINT32_C(1)
#define BERTH_ABI_MINOR UINT32_C(2)

/* Bytes that somebody else owns; not ended by a zero. */
typedef struct berth_bytes {
  const char* data;
  size_t size;
} berth_bytes;

typedef struct berth_connection berth_connection;
typedef struct berth_operation berth_operation;
typedef struct berth_host berth_host;
typedef struct berth_plugin berth_plugin;

/* ---- Operations ------------------------------------------------------------------------------ */

/* What a call that starts an operation returns. */
enum {
  BERTH_DONE = 0, /* it is over, its results are in the operation; complete() will not be called */
  BERTH_PENDING = 1 /* the host calls complete() once, later, never from within the starting call */
};

/* berth_operation.flags */
enum {
  BERTH_ENDS_ON_STOP = 1, /* in, read: when the listener drains, end as at the end of the stream */
  BERTH_END = 2           /* out, read: the stream has ended (or a drain ended it); no data */
};

/* One read, write, sleep, call in the background or attempt to connect. It lives where the handler
 * likes (a coroutine frame, say) and belongs to the host from the call that starts it until that
 * call returns BERTH_DONE or the host calls complete(); until then it must not move, change or go
 * away. */
struct berth_operation {
  uint16_t size;  /* in: sizeof(berth_operation) */
  uint16_t flags; /* in and out, see above */

  /* out: 0, or why it failed, as an errno value: ECONNRESET, EPIPE, ... (the connection is lost),
   * ETIMEDOUT (a read took longer than its `duration`, or the client was silent for the listener's
   * idle_timeout or took nothing of a write for its write_timeout; later operations then end with
   * ENOTCONN), ECANCELED (the drain's deadline has come, or the session has lasted for the
   * listener's session_timeout), EBUSY (a second read, or a second write, was started while one was
   * pending), EINVAL (a field makes no sense), ENOMEM (no memory, or no thread to call in the
   * background on). */
  int32_t error;

  /* in: called by the host when a pending operation is over, on the session's thread. May start
   * further operations and may finish the session. */
  void (*complete)(berth_operation* operation);

  /* in: sleep: how long; read: the longest wait for data; connect: the longest time for all of it;
   * 0 for no bound of its own. Nanoseconds. */
  int64_t duration;

  union {
    /* write, in: `count` pieces, sent in order as if they were one. The pieces, and the bytes they
     * name, belong to the host while the operation is pending. */
    struct {
      const berth_bytes* parts;
      size_t count;
    } write;

    /* read, out: what was read. Lent by the host until the next read of this connection starts or
     * the session finishes. Under a datagram transport one whole datagram, perhaps empty. */
    berth_bytes data;

    /* background, in: what is to be called, and with what. Since minor version 1. */
    struct {
      void (*function)(void* argument);
      void* argument;
    } call;

    /* connect, in: where to. Since minor version 2. */
    berth_bytes address;
    /* connect, out: the connection that was made. */
    berth_connection* connected;
  } bytes;

  void* reserved; /* the host's own while the operation is pending */
};

/* ---- What the host gives --------------------------------------------------------------------- */

/* A connection that is being served. The host's own fields follow; a handler touches only `host`.
 */
struct berth_connection {
  const berth_host* host;
};

/* berth_host.finish(): how the session ended. */
enum {
  BERTH_FINISHED = 0, /* as the handler meant it to */
  BERTH_LOST = 1,     /* an operation failed, and nothing was left to do: no fault of the handler */
  BERTH_FAILED = 2    /* the handler failed: counted, and logged at level error with the text */
};

/* berth_host.log() */
enum { BERTH_DEBUG = 1, BERTH_INFO = 2, BERTH_WARN = 3, BERTH_ERROR = 4 };

/* The host's functions, the same table for all connections of one transport. Each is called with a
 * connection that has not been finished, on the thread that serves it. */
struct berth_host {
  uint32_t size; /* of this table, as the host knows it */
  uint32_t abi_minor;

  /* Starts to read. The result is data, or BERTH_END, or an error. At most one read may be pending
   * on a connection; what the one before lent is taken back. Returns BERTH_DONE or BERTH_PENDING.
   */
  int (*read)(berth_connection* connection, berth_operation* operation);

  /* Starts to write all of `parts`. Done when the kernel has taken every byte, so that a handler
   * whose client does not read waits here. At most one write may be pending on a connection.
   * Under a datagram transport each write is one datagram to who sent the one that was read, also
   * where there is nothing in it; errors: EMSGSIZE (more than 65,507 bytes), ENOTCONN (it came from
   * a socket without a name), ECONNREFUSED (that socket is gone). Returns BERTH_DONE or
   * BERTH_PENDING. */
  int (*write)(berth_connection* connection, berth_operation* operation);

  /* Starts to wait for `duration` (less than 0 counts as 0). Any number may be pending. Returns
   * BERTH_PENDING, or BERTH_DONE with an error. */
  int (*sleep)(berth_connection* connection, berth_operation* operation);

  /* Ends the session. Nothing may be pending; neither the connection nor data read from it may be
   * touched again. `outcome` is BERTH_FINISHED, …; `text` says why, for BERTH_FAILED. */
  void (*finish)(berth_connection* connection, int outcome, berth_bytes text);

  /* The address of the other side, as text ("127.0.0.1:2934", "[::1]:2934"); over a Unix socket the
   * credentials of the process that connected, as the kernel knows them
   * ("uid=1000,gid=1000,pid=4711", man 7 unix). Writes at most `capacity` bytes, without a zero at
   * the end; returns the length of the whole text. */
  size_t (*peer)(const berth_connection* connection, char* buffer, size_t capacity);

  /* The address on which the connection was accepted ("/run/echo.sock", "@echo" for a Unix socket),
   * in the same way. */
  size_t (*local)(const berth_connection* connection, char* buffer, size_t capacity);

  /* The listener's name, in the same way. */
  size_t (*listener)(const berth_connection* connection, char* buffer, size_t capacity);

  /* The connection's number, from 1, unique within its worker; the log names it. */
  uint64_t (*id)(const berth_connection* connection);

  /* 1 once a drain has begun: the sooner the session ends, the better. Otherwise 0. */
  int (*stopping)(const berth_connection* connection);

  /* A line in the host's log, with listener and connection named. The text is escaped. */
  void (*log)(berth_connection* connection, int level, berth_bytes text);

  /* Since minor version 1. Calls `function(argument)`, which may take as long as it likes and block
   * as it likes, without holding up other sessions. Done when it has returned. Any number may be
   * pending on a connection, beside a read, a write and sleeps.
   *
   * Thread: under the models with an event loop a thread of a pool that the sessions of the worker
   * share; where all threads of it are busy the call waits for one, and the calls begin in the
   * order in which they were started. There all signals are blocked but those of a crash, also in
   * programs that it starts. Under the other models the session has a thread to itself and nothing
   * to hold up: the function is called at once on that thread, and BERTH_DONE is returned.
   *
   * Ownership: what `argument` points to is the handler's and stays untouched by the host. The
   * function runs beside the session's own code: it may call none of the host's functions, and what
   * both use needs locks or atomics. What it did is visible to the session when the operation is
   * over.
   *
   * Errors: of the function's own the host knows nothing; it returns (no exception, no longjmp).
   * The operation has an error only if the function was not called and never will be: EINVAL (it is
   * null), ENOMEM, ECANCELED (the drain's deadline came before it began). A crash of it is a crash
   * of the handler while it serves this connection.
   *
   * A drain waits for it. It cannot be interrupted: when the drain's deadline comes while it runs,
   * the session learns of that only when it has returned. This operation then still succeeds, and
   * those started later end with ECANCELED. A worker whose call has not returned shortly after the
   * deadline ends all the same. That the client has gone or is silent ends no call, and while one
   * is all that a session waits for, idle_timeout does not run.
   *
   * Returns BERTH_DONE or BERTH_PENDING. */
  int (*background)(berth_connection* connection, berth_operation* operation);

  /* Since minor version 2. Starts to connect to `bytes.address`: "tcp://HOST:PORT",
   * "unix:///PATH" or "unix://@NAME". Names are resolved without holding up other sessions; the
   * addresses that a name has are tried one after the other. A Unix socket whose backlog is full is
   * waited for. Any number may be pending, beside everything else.
   *
   * Done when a connection is made, which is `bytes.connected` then; null where there is an error.
   * It belongs to the session and is driven like the one that it serves, with the same functions
   * and on the same thread: read, write, close_read, close_write, peer, local and scheme are about
   * it, all others the session whichever of its connections they are called with. close() ends it;
   * finish() ends the session, and all its connections with it. EPIPE of a write leaves what can be
   * read.
   *
   * The listener's idle_timeout is for the client: it runs while the client is waited for, and what
   * happens on other connections neither starts nor stops it. A read of those waits for as long as
   * its `duration` says; a write of which the other side takes nothing for write_timeout, or for
   * idle_timeout where that is shorter, ends with ETIMEDOUT. What ends a session in time
   * (session_timeout, the drain's deadline) ends what is pending on all its connections.
   *
   * Errors: those of connect (man 2): ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOENT (no such Unix
   * socket), EACCES, EMFILE, of several addresses that of the last; EADDRNOTAVAIL: there is no host
   * of that name; EAGAIN: the name server does not answer; ETIMEDOUT: it took longer than
   * `duration`, or than the kernel tries (minutes); EINVAL: the address makes no sense, or is of a
   * scheme that cannot be connected to; ENOSPC: the model cannot watch so high a descriptor;
   * ECANCELED: the drain's deadline has come; ENOMEM. Where the session has a thread or a process
   * to itself that resolves names too, and is not interrupted in it: `duration` may be exceeded by
   * the resolver's own patience (man 5 resolv.conf).
   *
   * The address is the handler's and must stay until the operation is over. Returns BERTH_DONE or
   * BERTH_PENDING. */
  int (*connect)(berth_connection* connection, berth_operation* operation);

  /* Since minor version 2. Makes a connection of a connected stream socket that the handler has,
   * the end of a socketpair(2) say, to be driven as one that connect() made. The host takes the
   * descriptor over, whatever comes of it: on failure it is closed. Its flags, O_NONBLOCK and
   * FD_CLOEXEC, are the host's to set. Returns 0 and `*adopted`, or an errno value: EBADF,
   * ENOTSOCK, EPROTOTYPE (not SOCK_STREAM), ENOTCONN (or no longer connected), ENOMEM, ENOSPC (the
   * model cannot watch so high a descriptor), ECANCELED (the drain's deadline has come). */
  int (*adopt)(berth_connection* connection, int descriptor, berth_connection** adopted);

  /* Since minor version 2. Closes a connection that connect() or adopt() made; what was read from
   * it is taken back. Nothing may be pending on it, and it may not be touched again. Where input
   * has come that nobody has read TCP resets the connection, and what was written last may be lost:
   * who minds that calls close_write() and reads to the end before. Of the connection that is
   * served nothing happens. */
  void (*close)(berth_connection* connection);

  /* Since minor version 2. There is nothing more to write: the other side sees the end of the
   * stream once it has read all that was written, and can still be read from (shutdown, man 2, with
   * SHUT_WR). A write that is pending ends with EPIPE, later and not from within this call, with
   * part of it sent perhaps; later ones end so at once. For the connection that is served and for
   * others. Where the transport knows no such end (datagrams), the other side is not told. */
  void (*close_write)(berth_connection* connection);

  /* Since minor version 2. Nothing more is wanted of the other side: a read that waits ends as at
   * the end of the stream, later and not from within this call, and so do those that are started
   * later; one that the host has data at hand for may give that first. The other side is not told.
   * For the connection that is served and for others; where two tasks copy between two connections,
   * one that has failed ends the other with this and with close_write(). */
  void (*close_read)(berth_connection* connection);

  /* Since minor version 2. The scheme of the address by which the other side came, as it stands in
   * the config: "tcp", "tls", "udp", "unix" or "unixgram"; of a client that came through a proxy
   * (proxy_from) the scheme by which the proxy came; of a connection that connect() or adopt() made
   * "tcp" or "unix". In the same way as peer(). */
  size_t (*scheme)(const berth_connection* connection, char* buffer, size_t capacity);
};

/* ---- Options --------------------------------------------------------------------------------- */

/* The type of an option, and how berth_setting holds its value. */
enum {
  BERTH_BOOL = 1,     /* true, false          integer: 1 or 0 */
  BERTH_INTEGER = 2,  /* 42                   integer, within minimum … maximum */
  BERTH_REAL = 3,     /* 2.5                  real */
  BERTH_TEXT = 4,     /* any text             text */
  BERTH_DURATION = 5, /* 250ms, 5s, 10m       integer: nanoseconds, a multiple of `unit` */
  BERTH_SIZE = 6,     /* 512, 64KiB           integer: bytes */
  BERTH_CHOICE = 7,   /* one of `choices`     integer: its index */
  BERTH_LIST = 8,     /* [a, b]               items: texts */
  BERTH_MAP = 9       /* {a: b}               items: name and value by turns */
};

/* One option that a handler takes. All texts are UTF-8, ended by a zero, and live as long as the
 * plugin. */
typedef struct berth_option {
  const char* name;
  const char* help;          /* a phrase */
  const char* default_value; /* as YAML would say it; null where `required` */
  uint32_t type;
  uint32_t required; /* 1: a listener that does not give it is refused */
  int64_t minimum;   /* of integers, durations (ns) and sizes; both 0: no limits */
  int64_t maximum;
  int64_t unit;               /* of durations: the smallest step, in ns; 0 or 1: any */
  const char* const* choices; /* of BERTH_CHOICE: the names, `choice_count` of them */
  size_t choice_count;
} berth_option;

/* The value that the config gives one option. Its texts are also ended by a zero (not counted), so
 * that C handlers can take them as strings; they live until create() returns. */
typedef struct berth_setting {
  const char* name;
  uint32_t type;
  uint32_t unused;
  int64_t integer;
  double real;
  berth_bytes text;
  const berth_bytes* items;
  size_t item_count;
} berth_setting;

/* What create() is given; valid until it returns. */
typedef struct berth_creation {
  uint32_t size;      /* of this table, as the host knows it */
  uint32_t abi_minor; /* the host's */

  /* What the config gives, checked against the plugin's options already: `count` values, of which
   * number i begins at i * setting_size bytes. */
  const berth_setting* settings;
  size_t count;
  size_t setting_size;

  /* For the reason why no handler can be made: a text, ended by a zero, of at most error_size bytes
   * with that zero. */
  char* error;
  size_t error_size;
} berth_creation;

/* ---- What a handler gives -------------------------------------------------------------------- */

struct berth_plugin {
  /* Compared, in this order, before anything else is read. */
  uint64_t magic;     /* BERTH_ABI_MAGIC */
  uint32_t abi_major; /* BERTH_ABI_MAJOR */
  uint32_t abi_minor; /* BERTH_ABI_MINOR */
  uint32_t size;      /* sizeof(berth_plugin) */

  uint32_t option_size; /* sizeof(berth_option) */
  const char* name;
  const char* summary; /* one sentence */
  const berth_option* options;
  size_t option_count;

  /* Makes the one object that serves all connections of a worker. Called once, before any
   * connection. On failure returns null and writes the reason into creation->error. Null with no
   * reason is a failure too: a handler without state returns any other pointer. */
  void* (*create)(const berth_creation* creation);

  /* Takes back what create() made, after the last session. Not called when the process is ended
   * from outside. */
  void (*destroy)(void* handler);

  /* Serves one connection: starts operations and returns when one is pending; what follows happens
   * in complete(). Ends with a call of finish(), within serve() or later. Under `thread` it runs
   * on several threads at once. */
  void (*serve)(void* handler, berth_connection* connection);

  /* Since minor version 2; may be null. Looks at settings that the table of options lets pass, so
   * that a wrong one is told where it stands in the config, before anything is started: 0 where
   * create() would take them, as far as can be known; else another number, and the reason in
   * creation->error. Called by `berth check`, at the start and by each reload, with the rights that
   * the worker will have, in a process that is thrown away: it leaves nothing behind, and
   * disturbs no worker that serves. */
  int (*check)(const berth_creation* creation);
};

/* The symbol every handler exports. Returns a table that lives as long as the plugin, or null if
 * it cannot be used. */
#define BERTH_ENTRY_SYMBOL "berth_plugin_entry"
typedef const berth_plugin* berth_entry_function(void);

/* Marks the definition of berth_plugin_entry(), where the rest is built with hidden visibility. */
#define BERTH_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
}
#endif

#endif /* BERTH_ABI_H */
