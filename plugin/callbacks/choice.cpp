#include "plugin/callbacks/choice.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "plugin/config_value.h"

namespace saetap {
namespace {

// The three that keep what the store holds come first: none of them named means all.
constexpr std::array<std::string_view, 5> kCallbackNames{"top_samples", "random_samples", "statistics", "jsonl",
                                                         "progress"};
constexpr std::size_t kKeepers = 3;

void read_no_options(const ConfigValue& options) {
  for (const ConfigValue& option : options.members()) option.refuse("nothing: this callback has no options");
}

JsonLinesOptions read_jsonl(const ConfigValue& options) {
  JsonLinesOptions read;
  for (const ConfigValue& option : options.members()) {
    if (option.key() == "path") {
      read.path = option.text(1);
    } else if (option.key() == "every") {
      read.every = option.whole(1, 1'000'000'000);
    } else if (option.key() == "samples") {
      read.samples = option.boolean();
    } else {
      option.refuse("one of the options \"path\", \"every\", \"samples\"");
    }
  }
  return read;
}

ProgressOptions read_progress(const ConfigValue& options) {
  ProgressOptions read;
  for (const ConfigValue& option : options.members()) {
    if (option.key() != "seconds") option.refuse("the option \"seconds\"");
    read.seconds = option.whole(1, 1'000'000);
  }
  return read;
}

}  // namespace

CallbackChoice read_callbacks(const ConfigValue& value) {
  std::array<bool, kCallbackNames.size()> named{};
  CallbackChoice choice;
  for (const ConfigValue& callback : value.items("a list of objects with a \"name\" or a \"library\"")) {
    std::optional<ConfigValue> name, library, options;
    for (const ConfigValue& member : callback.members()) {
      const bool known = member.key() == "name" || member.key() == "library" || member.key() == "options";
      if (!known) member.refuse("one of the keys \"name\", \"library\", \"options\"");
      (member.key() == "name" ? name : member.key() == "library" ? library : options) = member;
    }
    if (name.has_value() == library.has_value()) callback.refuse("an object with a \"name\" or a \"library\"");
    if (library) {
      choice.libraries.push_back({library->text(1), options ? options->object_text() : "{}"});
      continue;
    }
    const std::size_t which = name->one_of(kCallbackNames);
    if (std::exchange(named[which], true)) name->refuse("each callback once");
    if (kCallbackNames[which] == "jsonl") {
      choice.jsonl = options ? read_jsonl(*options) : JsonLinesOptions{};
    } else if (kCallbackNames[which] == "progress") {
      choice.progress = options ? read_progress(*options) : ProgressOptions{};
    } else if (options) {
      read_no_options(*options);
    }
  }
  if (std::find(named.begin(), named.begin() + kKeepers, true) == named.begin() + kKeepers) return choice;
  choice.top_samples = named[0];
  choice.random_samples = named[1];
  return choice;
}

}  // namespace saetap
