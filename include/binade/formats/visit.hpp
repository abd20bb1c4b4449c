// From a format known at run time to the loop compiled for it, and over the whole catalogue.
#pragma once

#include <utility>

#include "binade/formats/catalog.hpp"

namespace binade {

/// Calls body.template operator()<Tag>() for each format of the catalogue, in its order.
template <class Body>
constexpr void for_each_format(Body&& body) {
  [&]<class... Tags>(TypeList<Tags...>) { (body.template operator()<Tags>(), ...); }(Catalog{});
}

/// Calls body.template operator()<Tag>() for the catalogue format equal to `f`; false if none is.
template <class Body>
constexpr bool visit_format(FloatFormat f, Body&& body) {
  bool found = false;
  for_each_format([&]<class Tag>() {
    if (!found && Tag::format == f) {
      found = true;
      body.template operator()<Tag>();
    }
  });
  return found;
}

}  // namespace binade
