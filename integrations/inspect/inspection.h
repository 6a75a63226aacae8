// What was found in a model, as plain facts: the graphs it was read from are gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace saetap::inspect {

enum class Confidence : std::uint8_t { no, uncertain, certain };

// A place where features enter a decoder, or seem to.
struct ListedSite {
  std::string module;       // unmangled type of the object whose method it is in, as the config names it
  std::string module_path;  // of that object, from the model; empty: the model itself
  std::string method;
  std::string value;

  std::string operation;              // that consumes the features; "return" where they are returned
  std::string form;                   // "dense", "pair", "coo"
  std::string shape;                  // "[N, 4096]", of a stack "[12, N, 4096]"
  std::int64_t groups = 1;            // layers or instances of a stack
  std::int64_t features = 0;          // F, of one group
  std::int64_t d_in = 0;              // width of a row given to the encoder
  std::optional<std::int64_t> d_out;  // nothing while no decoder is known
  std::string encoder;                // paths from the object whose method it is
  std::string decoder;
  std::string activation;  // "TopK"; empty if nothing seen makes the features sparse

  Confidence confidence = Confidence::no;
  std::string reason;
};

struct Inspection {
  std::string model;               // the file, as the user named it
  std::string module;              // its type
  std::size_t methods = 0;         // looked at
  std::vector<ListedSite> sites;   // certain ones first
  std::vector<std::string> notes;  // methods that could not be looked at, and why
};

}  // namespace saetap::inspect
