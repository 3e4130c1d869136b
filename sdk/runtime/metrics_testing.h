// Reads Prometheus' text format strictly: what promtool would refuse is refused here, with the line.
#pragma once

#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

namespace trellis::test {

// Samples by "name{label="value",...}" as written.
class PrometheusText {
public:
  explicit PrometheusText(std::string_view text) {
    if (!text.empty() && text.back() != '\n') throw std::runtime_error("the last line has no end");
    while (!text.empty()) {
      const auto end = text.find('\n');
      read_line(std::string(text.substr(0, end)));
      text.remove_prefix(end + 1);
    }
    for (const auto &[family, type] : types_)
      if (!has_samples_.contains(family)) throw std::runtime_error("no sample of " + family);
  }

  // NaN when there is none.
  double value(const std::string &sample) const {
    const auto found = samples_.find(sample);
    return found == samples_.end() ? std::nan("") : found->second;
  }
  // The sum of all samples of this name whose labels hold all of `labels`, each `name="value"`.
  double sum(const std::string &name, const std::set<std::string> &labels = {}) const {
    double total = 0;
    for (const auto &[sample, value] : samples_) {
      bool matches = sample.substr(0, sample.find('{')) == name;
      for (const auto &label : labels)
        matches = matches && sample.find(label) != std::string::npos;
      if (matches) total += value;
    }
    return total;
  }
  std::string type(const std::string &family) const {
    const auto found = types_.find(family);
    return found == types_.end() ? "" : found->second;
  }
  std::size_t size() const { return samples_.size(); }

private:
  [[noreturn]] static void refuse(const std::string &line, const char *why) {
    throw std::runtime_error(std::string(why) + ": " + line);
  }

  static std::size_t name_end(const std::string &line, std::size_t from) {
    constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:";
    constexpr std::string_view kLater = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789";
    if (from >= line.size() || kFirst.find(line[from]) == std::string_view::npos) refuse(line, "a name is expected");
    const auto end = line.find_first_not_of(kLater, from);
    return end == std::string::npos ? line.size() : end;
  }

  void read_line(const std::string &line) {
    if (line.starts_with("# HELP ")) return read_help(line);
    if (line.starts_with("# TYPE ")) return read_type(line);
    if (!line.starts_with("#")) read_sample(line);
  }

  void read_help(const std::string &line) {
    const auto end = name_end(line, 7);
    if (!helps_.insert(line.substr(7, end - 7)).second) refuse(line, "a second HELP");
    if (end + 1 >= line.size()) refuse(line, "an empty HELP");
    for (auto at = line.find('\\', end); at != std::string::npos; at = line.find('\\', at + 2))
      if (at + 1 == line.size() || (line[at + 1] != '\\' && line[at + 1] != 'n')) refuse(line, "a wrong escape");
  }

  void read_type(const std::string &line) {
    const auto end = name_end(line, 7);
    family_ = line.substr(7, end - 7);
    const auto type = end < line.size() ? line.substr(end + 1) : "";
    if (type != "counter" && type != "gauge" && type != "histogram") refuse(line, "an unknown type");
    if (type == "counter" && !family_.ends_with("_total")) refuse(line, "a counter without _total");
    if (!helps_.contains(family_)) refuse(line, "no HELP before it");
    if (!types_.emplace(family_, type).second) refuse(line, "a second TYPE");
  }

  void read_sample(const std::string &line) {
    auto at = name_end(line, 0);
    const auto name = line.substr(0, at);
    check_family(line, name);
    std::string bound;
    if (at < line.size() && line[at] == '{') at = read_labels(line, at + 1, bound);
    if (at >= line.size() || line[at] != ' ') refuse(line, "a space is expected");
    const double value = read_number(line, line.substr(at + 1));
    if (!samples_.emplace(line.substr(0, at), value).second) refuse(line, "a second sample");
    if (name == family_ + "_bucket") check_bucket(line, at, bound, value);
    if (name == family_ + "_count" && value != last_bucket_) refuse(line, "another count than the last bucket");
    has_samples_.insert(family_);
  }

  void check_family(const std::string &line, const std::string &name) const {
    const auto type = types_.find(family_);
    if (type == types_.end()) refuse(line, "a sample without TYPE");
    const bool histogram = type->second == "histogram";
    const bool matches = histogram
                             ? name == family_ + "_bucket" || name == family_ + "_sum" || name == family_ + "_count"
                             : name == family_;
    if (!matches) refuse(line, "a sample of another family");
  }

  // Buckets come in order, cumulative, the last one is +Inf.
  void check_bucket(const std::string &line, std::size_t at, const std::string &bound, double value) {
    const auto series = line.substr(0, line.find(at > 0 ? "le=\"" : "{"));
    if (bound.empty()) refuse(line, "a bucket without le");
    const double limit = read_number(line, bound);
    if (series == bucket_series_ && (limit <= last_bound_ || value < last_bucket_))
      refuse(line, "buckets out of order");
    if (series != bucket_series_ && !bucket_series_.empty() && std::isfinite(last_bound_))
      refuse(line, "no +Inf bucket before it");
    bucket_series_ = series;
    last_bound_ = limit;
    last_bucket_ = value;
  }

  std::size_t read_labels(const std::string &line, std::size_t at, std::string &bound) {
    std::set<std::string> names;
    for (;;) {
      const auto end = name_end(line, at);
      const auto name = line.substr(at, end - at);
      if (!names.insert(name).second) refuse(line, "a label twice");
      if (line.compare(end, 2, "=\"") != 0) refuse(line, "=\" is expected");
      std::string value;
      at = read_text(line, end + 2, value);
      if (name == "le") bound = value;
      if (at < line.size() && line[at] == '}') return at + 1;
      if (at >= line.size() || line[at] != ',') refuse(line, ", or } is expected");
      ++at;
    }
  }

  static std::size_t read_text(const std::string &line, std::size_t at, std::string &value) {
    for (; at < line.size(); ++at) {
      if (line[at] == '"') return at + 1;
      if (line[at] == '\\' &&
          (++at == line.size() || std::string_view("\\n\"").find(line[at]) == std::string_view::npos))
        refuse(line, "a wrong escape");
      value += line[at];
    }
    refuse(line, "a label value without end");
  }

  static double read_number(const std::string &line, const std::string &text) {
    if (text == "+Inf") return HUGE_VAL;
    if (text == "-Inf") return -HUGE_VAL;
    if (text == "NaN") return std::nan("");
    std::size_t used = 0;
    try {
      const double value = std::stod(text, &used);
      if (used == text.size() && text.find_first_not_of("0123456789+-.e") == std::string::npos) return value;
    } catch (const std::exception &) {
    }
    refuse(line, "no number");
  }

  std::map<std::string, std::string> types_;
  std::set<std::string> helps_, has_samples_;
  std::map<std::string, double> samples_;
  std::string family_, bucket_series_;
  double last_bound_ = 0, last_bucket_ = 0;
};

} // namespace trellis::test
