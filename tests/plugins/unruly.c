/* A service that tries what an isolated plugin must not be able to do, one way for each input {"mode", "path"}, and
 * answers with what came of it: "ok ...", or "errno N". For tests of isolation. */
#include "attempt.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <trellis/plugin.h>
#include <unistd.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "test.unruly@v1",
  "displayName": "Unruly",
  "description": "Tries to break out, on request.",
  "kind": "service",
  "schemas": {
    "In": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}, "path": {"type": "string"}}},
    "Out": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}, "additionalProperties": false}
  },
  "rpc": {
    "Unruly.Do": {"version": "v1", "subject": "rpc.v1.Unruly.Do", "input": {"schema": "In"}, "output": {"schema": "Out"}}
  }
});

static const trellis_host *host;

static void said(char *out, size_t size, int good, const char *what) {
  if (good)
    snprintf(out, size, "ok %s", what);
  else
    snprintf(out, size, "errno %d", errno);
}

static void read_file(const char *path, char *out, size_t size) {
  char bytes[32];
  const int fd = open(path, O_RDONLY);
  const ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
  said(out, size, got >= 0, "it was read");
  if (fd >= 0) close(fd);
}

static void write_file(const char *path, char *out, size_t size) {
  const int fd = open(path, O_WRONLY | O_CREAT, 0600);
  said(out, size, fd >= 0 && write(fd, "x", 1) == 1, "it was written");
  if (fd >= 0) close(fd);
}

static void read_memory_of(pid_t pid, char *out, size_t size) {
  char path[64], bytes[8];
  snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
  read_file(path, out, size);
  if (strncmp(out, "ok", 2) == 0) return;
  struct iovec mine = {bytes, sizeof bytes}, theirs = {(void *)&host, sizeof bytes};
  if (process_vm_readv(pid, &mine, 1, &theirs, 1, 0) > 0) said(out, size, 1, "process_vm_readv");
}

static void connect_to(const char *path, char *out, size_t size) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const size_t length = strlen(path);
  if (length >= sizeof address.sun_path) { /* not an attempt at all: no refusal must be read out of it */
    said(out, size, 1, "the path is too long for a socket");
    return;
  }
  memcpy(address.sun_path, path, length + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  said(out, size, fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connected");
  if (fd >= 0) close(fd);
}

static void *rest(void *arg) {
  pause();
  return arg;
}

static void bomb_of_processes(char *out, size_t size) {
  int made = 0;
  for (int i = 0; i < 100; ++i) {
    const pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    if (pid > 0) ++made;
  }
  const pid_t forked = fork();
  if (forked == 0) _exit(0);
  if (forked > 0) ++made;
  snprintf(out, size, made == 0 ? "errno %d" : "ok %d processes", made == 0 ? errno : made);
}

static void bomb_of_threads(char *out, size_t size) {
  int made = 0;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  for (pthread_t thread; made < 100000 && pthread_create(&thread, &small, rest, NULL) == 0;)
    ++made;
  snprintf(out, size, "ok %d threads", made);
}

static void leak(char *out, size_t size) {
  for (size_t mb = 0; mb < 1000000; ++mb) {
    char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
      snprintf(out, size, "errno %d after %zu MB", errno, mb);
      return;
    }
    memset(block, 1, 1 << 20);
  }
  said(out, size, 1, "without end");
}

__attribute__((noinline)) static int overflow(volatile char *before) {
  volatile char block[4096];
  block[0] = before[0];
  return overflow(block) + block[1];
}

__attribute__((noinline)) void unruly_crashes_here(volatile int *where) {
  *where = 1;
}

static void do_it(void *self, const trellis_request *request) {
  (void)self;
  char mode[32], path[512], out[256] = "ok";
  member(request, "mode", mode, sizeof mode);
  member(request, "path", path, sizeof path);
  const pid_t parent = getppid();
#define MODE(name) (strcmp(mode, name) == 0)
  if (MODE("segfault")) unruly_crashes_here((volatile int *)16);
  if (MODE("abort")) abort();
  if (MODE("overflow")) overflow(mode);
  if (MODE("exit")) exit(7);
  if (MODE("kill")) kill(getpid(), SIGKILL);
  if (MODE("loop"))
    for (volatile unsigned long i = 0;; ++i) {
    }
  if (MODE("freeze")) kill(getpid(), SIGSTOP);
  if (MODE("hang") || MODE("freeze"))
    for (;;)
      pause();
  if (MODE("wait")) {
    struct timespec time = {5, 0};
    nanosleep(&time, NULL);
  }
  if (MODE("leak")) leak(out, sizeof out);
  if (MODE("fork-bomb")) bomb_of_processes(out, sizeof out);
  if (MODE("thread-bomb")) bomb_of_threads(out, sizeof out);
  if (MODE("exec")) {
    char *const arguments[] = {"true", NULL};
    said(out, sizeof out, execve("/bin/true", arguments, NULL) == 0, "");
  }
  if (MODE("read")) read_file(path, out, sizeof out);
  if (MODE("write")) write_file(path, out, sizeof out);
  if (MODE("list")) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY);
    char bytes[1024];
    said(out, sizeof out, fd >= 0 && syscall(SYS_getdents64, fd, bytes, sizeof bytes) > 0, "listed");
    if (fd >= 0) close(fd);
  }
  if (MODE("connect")) connect_to(path, out, sizeof out);
  if (MODE("host-memory")) read_memory_of(parent, out, sizeof out);
  if (MODE("memory-of")) read_memory_of((pid_t)atoi(path), out, sizeof out);
  if (MODE("host-environment")) {
    snprintf(path, sizeof path, "/proc/%d/environ", (int)parent);
    read_file(path, out, sizeof out);
  }
  if (MODE("ptrace")) said(out, sizeof out, ptrace(PTRACE_SEIZE, parent, NULL, NULL) == 0, "attached");
  if (MODE("signal-host")) said(out, sizeof out, kill(parent, SIGTERM) == 0, "sent");
  if (MODE("signal-all")) said(out, sizeof out, kill(-1, 0) == 0, "sent");
  if (MODE("mount")) said(out, sizeof out, syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL) == 0, "mounted");
  if (MODE("unshare")) said(out, sizeof out, unshare(CLONE_NEWUSER) == 0, "unshared");
  if (MODE("become-root")) said(out, sizeof out, setuid(0) == 0 && geteuid() == 0, "root");
  if (MODE("ip-socket")) said(out, sizeof out, socket(AF_INET, SOCK_STREAM, 0) >= 0, "made");
  if (MODE("descriptors")) { /* what it inherited beyond its own */
    int open_ones = 0;
    for (int fd = 6; fd < 1024; ++fd)
      open_ones += fcntl(fd, F_GETFD) >= 0;
    snprintf(out, sizeof out, "%d", open_ones);
  }
  if (MODE("uid")) snprintf(out, sizeof out, "%d", (int)getuid());
  if (MODE("pid")) snprintf(out, sizeof out, "%d", (int)getpid());
  if (MODE("print")) fprintf(stderr, "unruly printed this\n");
  char json[320];
  snprintf(json, sizeof json, "{\"text\":\"%s\"}", out);
  host->complete(host->self, request->call, ts_text(json));
}

struct identity {
  char json[1024];
};
static void keep(void *context, trellis_str data) {
  struct identity *into = context;
  if (data.size < sizeof into->json) memcpy(into->json, data.data, data.size);
}

static const trellis_handler handler = {.size = sizeof(trellis_handler),
                                        .kind = TRELLIS_SURFACE_RPC,
                                        .contract_id = TS_TEXT("test.unruly@v1"),
                                        .name = TS_TEXT("Unruly.Do"),
                                        .rpc = do_it};
static const trellis_handler *const handlers[] = {&handler};
static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 1, .handlers = handlers};

/* Settings {"crash_in": "create"} end the process there. */
static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  struct identity about = {""}, config = {""};
  const trellis_sink sink = {&about, keep}, config_sink = {&config, keep};
  host = given;
  host->identity(host->self, sink);
  host->config(host->self, config_sink);
  if (strstr(config.json, "create")) abort();
  host->log(host->self, TRELLIS_LOG_INFO, ts_text("unruly is"), ts_text(about.json));
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TS_TEXT("unruly"), TS_TEXT("1.0.0"), create};
