#include "model.hpp"

#include <stdexcept>
#include <string>

namespace berth::bench {

const Model* find_model(std::string_view name) {
  std::string known;
  for (const Model& model : kModels) {
    if (name == model.name) return &model;
    known += std::string(known.empty() ? "" : ", ") + model.name;
  }
  throw std::invalid_argument("no model is called '" + std::string(name) +
                              "' (there are: " + known + ")");
}

}  // namespace berth::bench
