// What a comparison is about: the host under one concurrency model beside bare servers, or under
// its event loops in a field of others' programs.
#pragma once

#include "model.hpp"
#include "peer.hpp"

namespace berth::bench {

struct Subject {
  const Model* model = nullptr;  // one of the two is there
  const Field* field = nullptr;

  [[nodiscard]] const char* name() const { return model != nullptr ? model->name : field->name; }
};

}  // namespace berth::bench
