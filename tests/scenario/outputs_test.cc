// What the lab writes for other programs: packet captures and pages.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "observe/capture.h"
#include "observe/ladder_html.h"
#include "sim/scenarios/registry.h"

namespace estab::sim {
namespace {

struct Block {
  std::uint32_t type;
  std::string body;
};

std::uint32_t Word(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// The blocks of a pcapng file; an empty list if it is not well formed.
std::vector<Block> BlocksOf(const std::string& file) {
  std::vector<Block> blocks;
  std::size_t at = 0;
  while (at + 12 <= file.size()) {
    const std::uint32_t length = Word(file, at + 4);
    if (length % 4 != 0 || length < 12 || at + length > file.size()) return {};
    if (Word(file, at + length - 4) != length) return {};
    blocks.push_back({Word(file, at), file.substr(at + 8, length - 12)});
    at += length;
  }
  return at == file.size() ? blocks : std::vector<Block>{};
}

TEST(Pcapng, HasEveryPacketWithItsReason) {
  const auto result = RunScenario(*FindScenario("open/ack-lost"), {.packets = true});
  ASSERT_TRUE(result.has_value());
  ASSERT_FALSE(result->packets.empty());
  const auto blocks = BlocksOf(observe::ToPcapng({"title", "wire"}, result->packets));
  ASSERT_EQ(blocks.size(), result->packets.size() + 2);
  EXPECT_EQ(blocks[0].type, 0x0a0d0d0au);
  EXPECT_EQ(Word(blocks[0].body, 0), 0x1a2b3c4du);
  EXPECT_EQ(blocks[1].type, 1u);
  EXPECT_EQ(Word(blocks[1].body, 0) & 0xffffu, 101u);  // raw IP
  for (std::size_t i = 0; i < result->packets.size(); ++i) {
    const auto& packet = result->packets[i];
    const std::string& body = blocks[i + 2].body;
    EXPECT_EQ(blocks[i + 2].type, 6u);
    const auto ns = (std::uint64_t{Word(body, 4)} << 32) | Word(body, 8);
    EXPECT_EQ(ns, static_cast<std::uint64_t>(packet.at.time_since_epoch().count()));
    EXPECT_EQ(Word(body, 12), packet.bytes.size());
    EXPECT_EQ(std::memcmp(body.data() + 20, packet.bytes.data(), packet.bytes.size()), 0);
    EXPECT_NE(body.find(packet.comment), std::string::npos);
  }
  // The SYN: why it was sent, and what it met. The first ACK: lost.
  EXPECT_NE(result->packets[0].comment.find("sent by active-open"), std::string::npos);
  EXPECT_NE(result->packets[0].comment.find("at B: listen-syn"), std::string::npos);
  EXPECT_NE(result->packets[2].comment.find("lost by fault"), std::string::npos);
}

TEST(Pcapng, AnEmptyFileIsWhole) {
  EXPECT_EQ(BlocksOf(observe::ToPcapng({"", ""}, {})).size(), 2u);
  const observe::CapturedPacket odd{Time{}, std::vector<std::byte>(21), "x"};
  EXPECT_EQ(BlocksOf(observe::ToPcapng({"t", "i"}, {&odd, 1})).size(), 3u);
}

observe::HtmlSection SectionOf(const Scenario& scenario, const ScenarioResult& result) {
  observe::HtmlSection section;
  section.id = scenario.id;
  section.title = scenario.title;
  section.text = scenario.text;
  section.panels.push_back({&result.ladder, scenario.caption, false});
  for (const Panel& panel : result.beside) {
    section.panels.push_back({&panel.ladder, panel.caption, panel.counterfactual});
  }
  for (const FiredRule& fired : result.rules) {
    section.rules.push_back({&GetRule(fired.rule), {fired.count, 0}});
  }
  section.failures = {"1 < 2 & \"so on\""};
  return section;
}

std::size_t CountOf(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST(Html, IsOnePageThatNeedsNothingElse) {
  const Scenario& scenario = *FindScenario("close/four-way");
  const auto result = RunScenario(scenario, {});
  ASSERT_TRUE(result.has_value());
  const observe::HtmlSection one = SectionOf(scenario, *result);
  const std::vector<observe::HtmlSection> two = {one, one};
  const std::string page = observe::ToHtml("a & b", two);
  for (const char* tag : {"svg", "section", "figure", "table", "details", "nav", "ul", "body"}) {
    const std::string name = tag;
    EXPECT_EQ(CountOf(page, "<" + name + ">") + CountOf(page, "<" + name + " "),
              CountOf(page, "</" + name + ">"))
        << tag;
  }
  // Nothing is loaded and nothing runs; the namespace is a name, not an address.
  EXPECT_EQ(CountOf(page, "<script"), 0u);
  EXPECT_EQ(CountOf(page, "src="), 0u);
  EXPECT_EQ(CountOf(page, "http"), CountOf(page, "xmlns=\"http"));
  EXPECT_NE(page.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_NE(page.find("<title>a &amp; b</title>"), std::string::npos);
  EXPECT_NE(page.find("1 &lt; 2 &amp; &quot;so on&quot;"), std::string::npos);
  EXPECT_NE(page.find("fin-second"), std::string::npos);
  EXPECT_NE(page.find("counterfactual"), std::string::npos);
  // A contents only where there is something to find.
  EXPECT_EQ(CountOf(observe::ToHtml("t", {&one, 1}), "<nav"), 0u);
}

}  // namespace
}  // namespace estab::sim
