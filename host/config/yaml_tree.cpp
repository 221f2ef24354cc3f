#include "config/yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "config/yaml_syntax.hpp"

namespace berth {
namespace {

using Kind = YamlNode::Kind;

constexpr std::string_view kMergeKey = "<<";

// yaml-cpp's parser can be stopped from within an event by an exception only; this one never
// leaves parse_yaml().
struct Stop {
  Position where;
  std::string message;
};

Position position_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

std::size_t count_nodes(const YamlNode& node) {
  std::size_t count = 1;
  for (const YamlNode& item : node.items) count += count_nodes(item);
  for (const auto& [key, value] : node.fields) count += count_nodes(key) + count_nodes(value);
  return count;
}

int depth_of(const YamlNode& node) {
  int deepest = 0;
  for (const YamlNode& item : node.items) deepest = std::max(deepest, depth_of(item));
  for (const auto& [key, value] : node.fields) {
    deepest = std::max({deepest, depth_of(key), depth_of(value)});
  }
  return deepest + 1;
}

// The tag as it is written in a file.
std::string written(const std::string& tag) {
  constexpr std::string_view kStandard = "tag:yaml.org,2002:";
  return tag.starts_with(kStandard) ? "!!" + tag.substr(kStandard.size()) : tag;
}

// Makes the tree out of the parser's events. What is wrong with a map's keys is told here, once,
// however often an alias repeats the map.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, Diagnostics& problems) : text_(text), problems_(problems) {}

  // Null if the file was empty.
  YamlNode take_root() { return std::move(root_); }
  Position last_scalar() const { return last_scalar_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    Position where = position_of(mark);
    if (line_of(text_, where.line).starts_with("---")) {
      throw Stop{where, "a second document begins; a config is one, so take out the '---'"};
    }
    throw Stop{where, "this does not belong to what stands above; check the indentation"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(Kind::null, mark), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = make(Kind::scalar, mark);
    node.scalar = value;
    last_scalar_ = node.where;
    complain_of_tag(tag, node.where);
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto named = anchored_.find(anchor);
    if (named == anchored_.end()) {
      throw Stop{position_of(mark), "an alias ('*') within the very thing that it names"};
    }
    const YamlNode& node = named->second;
    count(count_nodes(node), position_of(mark));
    check_depth(depth_of(node), position_of(mark));
    add(node, YAML::NullAnchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  // A list or map whose end has not been seen.
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::optional<YamlNode> key;             // of a map: that of the value to come
    std::map<std::string, Position> keys{};  // of a map: where each was first seen
  };

  YamlNode make(Kind kind, const YAML::Mark& mark) {
    count(1, position_of(mark));
    YamlNode node;
    node.kind = kind;
    node.where = position_of(mark);
    return node;
  }

  void count(std::size_t nodes, Position where) {
    nodes_ += nodes;
    if (nodes_ > kMostYamlNodes) {
      throw Stop{where, "more than " + std::to_string(kMostYamlNodes) +
                            " values, with those that aliases ('*') repeat"};
    }
  }

  void check_depth(int more, Position where) const {
    if (static_cast<int>(open_.size()) + more > kDeepestYaml) {
      throw Stop{where, "nested more than " + std::to_string(kDeepestYaml) + " deep"};
    }
  }

  void complain_of_tag(const std::string& tag, Position where) {
    // yaml-cpp gives "?" for no tag, and "!" for quotes.
    if (tag.empty() || tag == "?" || tag == "!") return;
    problems_.add(where, "tags are not used here; leave out " + in_quotes(written(tag)));
  }

  void open(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    check_depth(1, position_of(mark));
    complain_of_tag(tag, position_of(mark));
    open_.push_back({make(kind, mark), anchor, std::nullopt});
  }

  void close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(std::move(closed.node), closed.anchor);
  }

  void add(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      count(count_nodes(node), node.where);
      anchored_[anchor] = node;
    }
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Kind::list) {
      if (node.kind == Kind::null) node.where = parent.node.where;
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      add_field(parent, std::move(node));
    }
  }

  void add_field(Open& parent, YamlNode value) {
    YamlNode key = std::move(*parent.key);
    parent.key.reset();
    complain_of_key(parent, key);
    if (value.kind == Kind::null) value.where = key.where;
    parent.node.fields.emplace_back(std::move(key), std::move(value));
  }

  void complain_of_key(Open& parent, const YamlNode& key) {
    if (key.kind == Kind::null) {
      problems_.add(key.where, "a ':' without a key before it");
    } else if (key.kind != Kind::scalar) {
      problems_.add(key.where, "a key must be text, not " + std::string(kind_name(key)));
    } else if (key.scalar == kMergeKey) {
      problems_.add(key.where,
                    "merge keys ('<<') are not read here; put what listeners share under "
                    "'defaults:', or write it out");
    } else {
      const auto [first, is_new] = parent.keys.emplace(key.scalar, key.where);
      if (is_new) return;
      problems_.add(key.where, in_quotes(key.scalar) + " is given twice; the first is in line " +
                                   std::to_string(first->second.line));
    }
  }

  std::string_view text_;
  Diagnostics& problems_;
  YamlNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchored_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
  Position last_scalar_;
};

// False if the syntax or a limit put an end to it; that is told then.
bool run_parser(const std::string& text, TreeBuilder& builder, Diagnostics& problems) {
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop& stop) {
    problems.add(stop.where, stop.message);
    return false;
  } catch (const YAML::Exception& error) {
    const Diagnostic diagnostic = explain_syntax_error(text, position_of(error.mark), error.msg);
    problems.add(diagnostic.where, diagnostic.message);
    return false;
  }
  return true;
}

}  // namespace

std::optional<YamlNode> parse_yaml(const std::string& text, Diagnostics& problems) {
  TreeBuilder builder(text, problems);
  if (!run_parser(text, builder, problems)) return std::nullopt;
  if (opens_endless_quote(text, builder.last_scalar())) {
    problems.add(builder.last_scalar(), "quotes that are not closed before the end of the file");
    return std::nullopt;
  }
  YamlNode root = builder.take_root();
  if (root.kind == Kind::null) {
    problems.add({}, "the file is empty; it needs at least 'listeners:'");
    return std::nullopt;
  }
  return root;
}

bool is_plain_key(const YamlNode& key) {
  return key.kind == Kind::scalar && key.scalar != kMergeKey;
}

std::string_view kind_name(const YamlNode& node) {
  switch (node.kind) {
    case Kind::scalar:
      return "text";
    case Kind::list:
      return "a list";
    case Kind::map:
      return "a map";
    case Kind::null:
      break;
  }
  return "nothing";
}

}  // namespace berth
