#include "model.hpp"

#include <stdexcept>
#include <string>

namespace berth::bench {

const Model* find_model(std::string_view name, Transport transport) {
  std::string known;
  for (const Model& model : kModels) {
    if (model.transport != transport) continue;
    if (name == model.name) return &model;
    known += std::string(known.empty() ? "" : ", ") + model.name;
  }
  throw std::invalid_argument("no model is called '" + std::string(name) +
                              "' that is measured over " + facts_of(transport).name +
                              " (there are: " + known + ")");
}

}  // namespace berth::bench
