// What an isolated plugin asks of the host: each question becomes the host's own function, with the checks that it
// makes for every plugin.
//
// The supervising thread must not wait, so functions that may are called on threads of their own, and calls go through
// their asynchronous form. The process is not trusted: it can only name calls and streams that it was given, and only
// have so many questions open.
#include "contracts/json_write.h"
#include "isolation/isolated_state.h"
#include <bit>

namespace trellis::isolation {
namespace {

using State = IsolatedPlugin::State;

std::size_t size_of(const ReceivedFrame &received) {
  const auto &frame = received.frame;
  return received.bytes.size() + frame.numbers.size() * sizeof(std::uint64_t) +
         frame.texts.size() * sizeof(std::string_view);
}

// The question and what its answer needs; lives until the answer is on its way.
struct Question {
  std::shared_ptr<State> state;
  ReceivedFrame received;
  const std::uint64_t session; // of the process that asked: to the next one its id is another question's
  const std::size_t bytes;

  Question(std::shared_ptr<State> given, ReceivedFrame frame)
      : state(std::move(given)), received(std::move(frame)), session(state->process->session()),
        bytes(size_of(received)) {
    ++state->outstanding;
    state->outstanding_bytes += bytes;
  }
  ~Question() {
    --state->outstanding;
    state->outstanding_bytes -= bytes;
  }
  Question(const Question &) = delete;
  Question &operator=(const Question &) = delete;

  void answer(trellis_status status, std::string_view output = {}, const KeptError *error = nullptr) const {
    if (state->process->send(answer_frame(received.frame.id, status, output, error), session)) return;
    state->process->send(answer_frame(received.frame.id, TRELLIS_E_TOO_LARGE), session);
  }
};

// Those of name and value pairs from text `first` on.
std::vector<trellis_header> headers_of(const Frame &frame, std::size_t first, std::uint64_t count) {
  std::vector<trellis_header> headers;
  for (std::size_t i = first; i + 1 < frame.texts.size() && headers.size() < count; i += 2)
    headers.push_back({str(frame.text(i)), str(frame.text(i + 1))});
  return headers;
}

trellis_event event_of(const Frame &frame) {
  return {sizeof(trellis_event), static_cast<std::uint32_t>(frame.number(0)),
          str(frame.text(0)),    str(frame.text(1)),
          str(frame.text(2)),    str(frame.text(3)),
          str(frame.text(4))};
}

// `give_back`: whether the process has nothing more to say about it.
bool owns_call(State &state, trellis_call call, bool give_back) {
  const std::lock_guard lock(state.mutex);
  return give_back ? state.calls.erase(call) > 0 : state.calls.contains(call);
}
bool owns_stream(State &state, trellis_stream stream, bool give_back) {
  const std::lock_guard lock(state.mutex);
  return give_back ? state.streams.erase(stream) > 0 : state.streams.contains(stream);
}

void serve_call(State &state, const Question &question) {
  const auto &frame = question.received.frame;
  const trellis_call call = frame.number(0);
  const auto *host = state.host;
  if (!owns_call(state, call, frame.kind != FrameKind::call_state)) return question.answer(TRELLIS_E_GONE);
  switch (frame.kind) {
  case FrameKind::complete: return question.answer(host->complete(host->self, call, str(frame.text(0))));
  case FrameKind::fail: {
    const auto error = error_at(frame, 0);
    return question.answer(host->fail(host->self, call, &error));
  }
  case FrameKind::release: return question.answer(host->release(host->self, call));
  default: return question.answer(host->call_state(host->self, call));
  }
}

void serve_stream(State &state, const Question &question) {
  const auto &frame = question.received.frame;
  const trellis_stream stream = frame.number(0);
  const bool ends = frame.kind == FrameKind::feed_fail || frame.kind == FrameKind::feed_close;
  if (!state.feeds) return question.answer(TRELLIS_E_UNSUPPORTED);
  if (!owns_stream(state, stream, ends)) return question.answer(TRELLIS_E_GONE);
  auto *self = state.host->self;
  KeptError words;
  switch (frame.kind) {
  case FrameKind::feed_emit: {
    const auto status = state.feeds->emit(self, stream, str(frame.text(0)), words.sink());
    return question.answer(status, {}, &words);
  }
  case FrameKind::feed_fail: {
    const auto error = error_at(frame, 0);
    return question.answer(state.feeds->fail(self, stream, &error));
  }
  case FrameKind::feed_close: return question.answer(state.feeds->close(self, stream));
  default: return question.answer(state.feeds->state(self, stream));
  }
}

// The others are answered before the next question is read; an answer to a request must never be refused.
bool may_wait(FrameKind kind) {
  return kind == FrameKind::call_rpc || kind == FrameKind::request || kind == FrameKind::event_publish ||
         kind == FrameKind::event_publish_prepared || kind == FrameKind::event_publish_async;
}

void call_rpc(State &state, std::unique_ptr<Question> question) {
  const auto &frame = question->received.frame;
  const trellis_rpc_call call{sizeof(trellis_rpc_call), static_cast<std::uint32_t>(frame.number(0)),
                              str(frame.text(0)),       str(frame.text(1)),
                              str(frame.text(2)),       str(frame.text(3)),
                              str(frame.text(4))};
  const auto on_reply = [](void *context, trellis_status status, trellis_str output, const trellis_error *error) {
    const std::unique_ptr<Question> asked(static_cast<Question *>(context));
    const auto words = keep_error(error);
    asked->answer(status, view(output), &words);
  };
  const auto *asked = question.get();
  const auto status = state.host->call_rpc_async(state.host->self, &call, on_reply, question.get());
  if (status == TRELLIS_OK) return static_cast<void>(question.release()); // the reply has it
  const KeptError words{true, "UnexpectedError", "the contract doesn't use it, or it isn't known here", {}, {}};
  asked->answer(status, {}, &words);
}

void publish_event(State &state, std::unique_ptr<Question> question) {
  const auto event = event_of(question->received.frame);
  const auto on_done = [](void *context, trellis_status status, const trellis_error *error) {
    const std::unique_ptr<Question> asked(static_cast<Question *>(context));
    const auto words = keep_error(error);
    asked->answer(status, {}, &words);
  };
  KeptError words;
  const auto *asked = question.get();
  const auto status = state.events->publish_async(state.host->self, &event, on_done, question.get(), words.sink());
  if (status == TRELLIS_OK) return static_cast<void>(question.release());
  asked->answer(status, {}, &words);
}

// [waiting thread]
void serve_waiting(const Question &question) {
  const auto &state = *question.state;
  const auto &frame = question.received.frame;
  auto *self = state.host->self;
  std::string output;
  KeptError words;
  trellis_status status = TRELLIS_E_UNSUPPORTED;
  if (frame.kind == FrameKind::request) {
    const auto headers = headers_of(frame, 2, frame.number(0));
    status = state.transport->request(self, str(frame.text(0)), str(frame.text(1)), headers.data(), headers.size(),
                                      static_cast<std::uint32_t>(frame.number(1)), string_sink(output), words.sink());
  } else if (frame.kind == FrameKind::event_publish_prepared) {
    status = state.events->publish_prepared(self, str(frame.text(0)), static_cast<std::uint32_t>(frame.number(0)),
                                            string_sink(output), words.sink());
  } else {
    const auto event = event_of(frame);
    status = state.events->publish(self, &event, string_sink(output), words.sink());
  }
  question.answer(status, output, &words);
}

void wait_elsewhere(State &state, std::unique_ptr<Question> question) {
  state.waiting->post([asked = std::shared_ptr<Question>(std::move(question))] { serve_waiting(*asked); });
}

void serve_at_once(State &state, const Question &question) {
  const auto &frame = question.received.frame;
  auto *self = state.host->self;
  KeptError words;
  if (frame.kind == FrameKind::publish) {
    const auto headers = headers_of(frame, 2, frame.number(0));
    return question.answer(
        state.transport->publish(self, str(frame.text(0)), str(frame.text(1)), headers.data(), headers.size()));
  }
  if (frame.kind == FrameKind::event_prepare) {
    std::string output;
    const auto event = event_of(frame);
    const auto status = state.events->prepare(self, &event, string_sink(output), words.sink());
    return question.answer(status, output, &words);
  }
  const auto attributes = headers_of(frame, 3, frame.number(2));
  const trellis_metric metric{sizeof(trellis_metric), static_cast<std::uint32_t>(frame.number(0)), str(frame.text(0)),
                              str(frame.text(1)), str(frame.text(2))};
  question.answer(state.metrics->record(self, &metric, std::bit_cast<double>(frame.number(1)), attributes.data(),
                                        attributes.size()));
}

} // namespace

// [supervising thread]
void IsolatedPlugin::State::serve(ReceivedFrame received) {
  const auto kind = received.frame.kind;
  const auto &limits = options.settings;
  if (kind == FrameKind::log) {
    const auto &frame = received.frame;
    const auto level = static_cast<std::int32_t>(static_cast<std::uint32_t>(frame.number(0)));
    const auto message = frame.text(0).substr(0, limits.log_message_max_kb << 10);
    const auto fields = frame.text(1); // JSON, which half of would be none
    if (fields.size() <= limits.log_fields_max_kb << 10) return log_of_plugin(level, message, fields);
    return log_of_plugin(
        level, message,
        JsonObjectText().number("fieldsLeftOut", static_cast<std::int64_t>(fields.size())).text("unit", "bytes").str());
  }
  auto question = std::make_unique<Question>(shared_from_this(), std::move(received));
  // The process may ask faster than anybody answers.
  if (may_wait(kind) && (outstanding > limits.questions_max || outstanding_bytes > limits.questions_max_mb << 20))
    return question->answer(TRELLIS_E_UNAVAILABLE);
  const auto unsupported = [&] { question->answer(TRELLIS_E_UNSUPPORTED); };
  switch (kind) {
  case FrameKind::complete:
  case FrameKind::fail:
  case FrameKind::release:
  case FrameKind::call_state: return serve_call(*this, *question);
  case FrameKind::feed_emit:
  case FrameKind::feed_fail:
  case FrameKind::feed_close:
  case FrameKind::feed_state: return serve_stream(*this, *question);
  case FrameKind::call_rpc: return call_rpc(*this, std::move(question));
  case FrameKind::publish: return transport ? serve_at_once(*this, *question) : unsupported();
  case FrameKind::request: return transport ? wait_elsewhere(*this, std::move(question)) : unsupported();
  case FrameKind::event_prepare: return events ? serve_at_once(*this, *question) : unsupported();
  case FrameKind::event_publish:
  case FrameKind::event_publish_prepared: return events ? wait_elsewhere(*this, std::move(question)) : unsupported();
  case FrameKind::event_publish_async: return events ? publish_event(*this, std::move(question)) : unsupported();
  case FrameKind::metric: return metrics ? serve_at_once(*this, *question) : unsupported();
  default: return unsupported();
  }
}

} // namespace trellis::isolation
