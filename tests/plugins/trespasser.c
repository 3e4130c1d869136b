/* A service that tries to change files and processes which belong to its own user, one way for each input {"mode",
 * "path"}, and answers with what came of it: "ok", or "errno N". For tests of isolation with a host that isn't root:
 * nothing but Landlock and the filter of system calls keeps it from them. */
#include "attempt.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <trellis/plugin.h>
#include <unistd.h>
#include <utime.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "test.trespasser@v1",
  "displayName": "Trespasser",
  "description": "Tries to change what isn't its own, on request.",
  "kind": "service",
  "schemas": {
    "In": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}, "path": {"type": "string"}}},
    "Out": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}, "additionalProperties": false}
  },
  "rpc": {
    "Trespasser.Do": {"version": "v1", "subject": "rpc.v1.Trespasser.Do", "input": {"schema": "In"}, "output": {"schema": "Out"}}
  }
});

static const trellis_host *host;

/* A datagram to a socket that has a path, from one end of a pair. */
static int send_to(const char *path) {
  int ends[2];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const size_t length = strlen(path);
  if (length >= sizeof address.sun_path) return 0; /* no attempt: nothing refused it */
  memcpy(address.sun_path, path, length + 1);
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) return -1;
  const ssize_t sent = sendto(ends[0], "x", 1, 0, (struct sockaddr *)&address, sizeof address);
  close(ends[0]);
  close(ends[1]);
  return sent == 1 ? 0 : -1;
}

/* The kernel sends the signal, on behalf of whoever made the pair. */
static int signal_by_descriptor(pid_t pid) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
  int done = -1;
  if (fcntl(ends[0], F_SETOWN, pid) == 0 && fcntl(ends[0], F_SETSIG, SIGKILL) == 0 &&
      fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK) == 0 && write(ends[1], "x", 1) == 1)
    done = 0;
  const int problem = errno;
  close(ends[0]);
  close(ends[1]);
  errno = problem;
  return done;
}

static int attempt(const char *mode, const char *path) {
  const struct timespec times[2] = {{1, 0}, {1, 0}};
  const struct utimbuf old_times = {1, 1};
  const pid_t parent = getppid();
  struct rlimit limit = {16, 16};
#define MODE(name) if (strcmp(mode, name) == 0)
  MODE("chmod") return chmod(path, 0777);
  MODE("fchmodat") return fchmodat(AT_FDCWD, path, 0777, 0);
  MODE("fchmodat2") return (int)syscall(452, AT_FDCWD, path, 0777, 0);
  MODE("chmod-by-handle") return (int)syscall(452, open(path, O_PATH), "", 0777, AT_EMPTY_PATH);
  MODE("chown") return chown(path, getuid(), getgid());
  MODE("lchown") return lchown(path, getuid(), getgid());
  MODE("fchownat") return fchownat(AT_FDCWD, path, getuid(), getgid(), 0);
  MODE("utime") return utime(path, &old_times);
  MODE("utimensat") return utimensat(AT_FDCWD, path, times, 0);
  MODE("setxattr") return setxattr(path, "user.trellis", "x", 1, 0);
  MODE("truncate") return truncate(path, 0);
  MODE("unlink") return unlink(path);
  MODE("rmdir") return rmdir(path);
  MODE("mkdir") return mkdir(path, 0700);
  MODE("link") return link(path, "link");
  MODE("symlink") return symlink("/etc/passwd", path);
  MODE("rename") return rename(path, "renamed");
  MODE("mkfifo") return mkfifo(path, 0600);
  MODE("signal-by-descriptor") return signal_by_descriptor(parent);
  MODE("send-to") return send_to(path);
  MODE("limit-host") return (int)syscall(SYS_prlimit64, parent, RLIMIT_NOFILE, &limit, NULL);
  MODE("slow-host") return setpriority(PRIO_PROCESS, (id_t)parent, 19);
  MODE("dumpable") return (int)syscall(SYS_prctl, 4, 1, 0, 0, 0);
  /* What stays allowed. */
  MODE("stream-pair") {
    int ends[2];
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
  }
  MODE("enter") return chdir(path);
  MODE("descriptor") {
    const int fd = open(path, O_RDWR | O_CREAT, 0600);
    return fd >= 0 && fchmod(fd, 0640) == 0 && futimens(fd, times) == 0 && ftruncate(fd, 10) == 0 ? 0 : -1;
  }
  return 0; /* a mode that isn't known shall be noticed */
}

static void do_it(void *self, const trellis_request *request) {
  (void)self;
  char mode[32], path[512], json[64];
  member(request, "mode", mode, sizeof mode);
  member(request, "path", path, sizeof path);
  if (attempt(mode, path) >= 0)
    snprintf(json, sizeof json, "{\"text\":\"ok\"}");
  else
    snprintf(json, sizeof json, "{\"text\":\"errno %d\"}", errno);
  host->complete(host->self, request->call, ts_text(json));
}

static const trellis_handler handler = {.size = sizeof(trellis_handler),
                                        .kind = TRELLIS_SURFACE_RPC,
                                        .contract_id = TS_TEXT("test.trespasser@v1"),
                                        .name = TS_TEXT("Trespasser.Do"),
                                        .rpc = do_it};
static const trellis_handler *const handlers[] = {&handler};
static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 1, .handlers = handlers};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {sizeof(trellis_plugin_entry),
                                                      TRELLIS_ABI_MAJOR,
                                                      TRELLIS_ABI_MINOR,
                                                      0,
                                                      TS_TEXT("trespasser"),
                                                      TS_TEXT("1.0.0"),
                                                      create};
