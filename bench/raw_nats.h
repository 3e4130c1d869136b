// Floors: what nats.c alone does between an echo responder and a requester, without any code of sdk/.
//
// A floor is the best of four ways to run the library: its own threads or an epoll loop (both with SendAsap), with one
// or two threads doing the work. Each bench compares itself with the best of them, measured in the same minute on the
// same server, with the same credentials, payload and number of requests in flight.
#pragma once

#include <cstddef>
#include <functional>
#include <nats/nats.h>
#include <string>
#include <utility>
#include <vector>

namespace trellis::bench {

struct EchoSetup {
  std::string url;
  std::size_t window = 1;                                        // requests in flight
  std::size_t payload = 128;                                     // bytes, there and back
  std::size_t requests = 0;                                      // measured; a tenth more run first to warm up
  std::vector<std::pair<std::string, std::string>> headers = {}; // on each request
  // Adds credentials and the like to the options of both connections; may be empty.
  std::function<natsStatus(natsOptions *)> configure = {};
};

struct EchoFigures {
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double cpu_us = 0; // processor time of this process for one request, both ends; says most on a busy machine
};

struct RawMode {
  bool event_loop = false; // epoll instead of nats.c's reading threads
  int threads = 1;         // loops: one for both connections, or one each; deliveries: one pool thread, or one each
  std::string name() const;
};
std::vector<RawMode> raw_modes();

// Throws std::runtime_error when the server can't be reached or a request goes unanswered for 10 s.
EchoFigures measure_raw_echo(const EchoSetup &setup, const RawMode &mode);

// Processor time that this process has used, in seconds.
double cpu_seconds();

// Round-trip times in microseconds, and how long all of it took in real and processor time → figures. Sorts `times`.
EchoFigures figures_of(std::vector<double> &times_us, double seconds, double cpu);

// Of several runs of one kind: the run in the middle, by throughput.
EchoFigures median_of(std::vector<EchoFigures> runs);

} // namespace trellis::bench
