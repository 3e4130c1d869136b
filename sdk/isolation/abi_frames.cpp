#include "isolation/abi_frames.h"

namespace trellis::isolation {

KeptError keep_error(const trellis_error *error) {
  KeptError kept;
  if (!error) return kept;
  kept.reported = true;
  if (TRELLIS_HAS(trellis_error, error, type)) kept.type = view(error->type);
  if (TRELLIS_HAS(trellis_error, error, message)) kept.message = view(error->message);
  if (TRELLIS_HAS(trellis_error, error, context)) kept.context = view(error->context);
  if (TRELLIS_HAS(trellis_error, error, fields)) kept.fields = view(error->fields);
  return kept;
}

trellis_error_sink KeptError::sink() {
  return {this, [](void *self, const trellis_error *error) { *static_cast<KeptError *>(self) = keep_error(error); }};
}

std::string KeptError::text(std::string_view otherwise) const {
  if (!reported || (type.empty() && message.empty())) return std::string(otherwise);
  return type.empty() ? message : type + ": " + message;
}

trellis_error error_at(const Frame &frame, std::size_t first) {
  return {sizeof(trellis_error),     0, str(frame.text(first)), str(frame.text(first + 1)), str(frame.text(first + 2)),
          str(frame.text(first + 3))};
}

void report(trellis_error_sink sink, const trellis_error &error) {
  if (sink.report) sink.report(sink.context, &error);
}

void report(trellis_error_sink sink, std::string_view message) {
  report(sink, trellis_error{sizeof(trellis_error), 0, str("UnexpectedError"), str(message), {}, {}});
}

void write(trellis_sink sink, std::string_view data) {
  if (sink.write) sink.write(sink.context, str(data));
}

trellis_sink string_sink(std::string &into) {
  return {&into, [](void *out, trellis_str data) { static_cast<std::string *>(out)->append(view(data)); }};
}

trellis_sink SecretParts::sink() {
  return {this, [](void *self, trellis_str data) {
            auto &whole = static_cast<SecretParts *>(self)->whole_;
            std::string longer;
            longer.reserve(whole.reveal().size() + data.size); // so that it never moves
            longer += whole.reveal();
            longer += view(data);
            whole = SecretText(std::move(longer));
          }};
}

void add_error(Frame &frame, const trellis_error *error) {
  std::string_view type, message, context, fields;
  if (error && TRELLIS_HAS(trellis_error, error, type)) type = view(error->type);
  if (error && TRELLIS_HAS(trellis_error, error, message)) message = view(error->message);
  if (error && TRELLIS_HAS(trellis_error, error, context)) context = view(error->context);
  if (error && TRELLIS_HAS(trellis_error, error, fields)) fields = view(error->fields);
  frame.texts.insert(frame.texts.end(), {type, message, context, fields});
}

Frame answer_frame(std::uint64_t id, trellis_status status, std::string_view output, const KeptError *error) {
  const bool has_error = error && error->reported;
  Frame frame{FrameKind::answer, id, {static_cast<std::uint64_t>(static_cast<std::uint32_t>(status)), has_error}, {}};
  frame.texts.push_back(output);
  if (has_error) frame.texts.insert(frame.texts.end(), {error->type, error->message, error->context, error->fields});
  return frame;
}

trellis_status deliver_answer(const Frame &answer, trellis_sink output, trellis_error_sink error) {
  const auto status = static_cast<trellis_status>(static_cast<std::uint32_t>(answer.number(0)));
  if (answer.number(1) != 0) report(error, error_at(answer, 1));
  if (!answer.text(0).empty()) write(output, answer.text(0));
  return status;
}

} // namespace trellis::isolation
