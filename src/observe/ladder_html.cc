#include "observe/ladder_html.h"

#include "observe/format.h"
#include "observe/svg_style.h"
#include "observe/text.h"

namespace estab::observe {
namespace {

constexpr const char* kPageStyle = R"(
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1d2530; --quiet: #5b6470; --line: #d9dce1;
  --link: #1f4d7a; --good: #226b2b; --bad: #b3261e; --apart: #8a2f58; --shade: #f5f7f9; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e6e9ee; --quiet: #a8b0bb; --line: #333b45; --link: #a9cdf0;
    --good: #8ed093; --bad: #ff8a80; --apart: #e79bbd; --shade: #1b2027; }
}
body { margin: 0 auto; padding: 1.5rem; max-width: 84rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.3rem; margin: 3rem 0 0.3rem;
  border-top: 1px solid var(--line); padding-top: 1.2rem; } h3 { font-size: 1rem; margin: 1.2rem 0 0.3rem; }
h2 .id { font-family: ui-monospace, monospace; font-size: 1rem; color: var(--quiet); font-weight: 400; }
p { max-width: 46rem; } a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
nav { columns: 3 20rem; font-size: 0.9rem; } nav section { break-inside: avoid; }
nav h3 { margin-top: 0.6rem; } nav ul { margin: 0; padding: 0; list-style: none; }
nav code { color: var(--link); } nav span { color: var(--quiet); }
table { border-collapse: collapse; font-size: 0.85rem; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.8rem 0.2rem 0;
  border-bottom: 1px solid var(--line); } td.n { text-align: right; white-space: nowrap; }
code { font-family: ui-monospace, monospace; font-size: 0.92em; }
td code { white-space: nowrap; }
.panels { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; margin: 1rem 0; }
figure { margin: 0; flex: 1 1 36rem; min-width: 0; border: 1px solid var(--line); }
figcaption { padding: 0.4rem 0.8rem; background: var(--shade); font-weight: 600; font-size: 0.9rem; }
figcaption.apart { color: var(--apart); } figure svg { display: block; width: 100%; height: auto; }
.good { color: var(--good); } .bad { color: var(--bad); } details { margin: 0.6rem 0; }
summary { cursor: pointer; font-weight: 600; }
)";

std::string Anchor(const std::string& id) {
  std::string out = id;
  for (char& c : out) {
    if (c == '/') c = '-';
  }
  return out;
}

std::string GroupOf(const std::string& id) { return id.substr(0, id.find('/')); }

std::string Contents(std::span<const HtmlSection> sections) {
  std::string out = "<nav aria-label=\"Contents\">\n";
  std::string group;
  for (const HtmlSection& s : sections) {
    if (const std::string own = GroupOf(s.id); own != group) {
      out += fmt::format("{}<section><h3>{}</h3><ul>\n", group.empty() ? "" : "</ul></section>\n",
                         Escaped(own));
      group = own;
    }
    out += fmt::format("<li><a href=\"#{}\"><code>{}</code></a> <span>{}</span></li>\n",
                       Anchor(s.id), Escaped(s.id), Escaped(s.title));
  }
  return out + (group.empty() ? "" : "</ul></section>\n") + "</nav>\n";
}

std::string Parameters(const HtmlSection& s) {
  if (s.parameters.empty()) return {};
  std::string out = "<h3>Parameters</h3>\n<table>\n";
  for (const HtmlParameter& p : s.parameters) {
    out += fmt::format("<tr><td><code>{}={}</code></td><td>{}</td></tr>\n", Escaped(p.name),
                       Escaped(p.value), Escaped(p.gist));
  }
  return out + "</table>\n";
}

std::string Rules(const HtmlSection& s) {
  if (s.rules.empty()) return {};
  std::string out = fmt::format(
      "<details><summary>The {} rules that "
      "fired</summary>\n<table>\n<tr><th>rule</th><th>basis</th>"
      "<th>section</th><th>what it says</th><th>A</th><th>B</th></tr>\n",
      s.rules.size());
  for (const HtmlRule& r : s.rules) {
    out += fmt::format(
        "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td>"
        "<td class=\"n\">{}</td></tr>\n",
        r.rule->name, BasisName(r.rule->basis), Escaped(r.rule->section), Escaped(r.rule->gist),
        r.fired[0], r.fired[1]);
  }
  return out + "</table>\n</details>\n";
}

std::string Panels(const HtmlSection& s) {
  std::string out = "<div class=\"panels\">\n";
  for (const SvgPanel& panel : s.panels) {
    out += "<figure>";
    if (s.panels.size() > 1) {
      out += fmt::format("<figcaption{}>{}</figcaption>",
                         panel.counterfactual ? " class=\"apart\"" : "", Escaped(panel.caption));
    }
    Ladder ladder = *panel.ladder;
    ladder.title.clear();  // the section's own stands above
    out += "\n" + LadderToSvg(ladder, {.embedded = true}) + "</figure>\n";
  }
  return out + "</div>\n";
}

std::string Section(const HtmlSection& s) {
  std::string out = fmt::format("<section id=\"{}\">\n<h2>{} <span class=\"id\">{}</span></h2>\n",
                                Anchor(s.id), Escaped(s.title), Escaped(s.id));
  out += fmt::format("<p>{}</p>\n", Escaped(s.text));
  for (const std::string& sentence : s.summary)
    out += fmt::format("<p>{}</p>\n", Escaped(sentence));
  if (s.failures.empty()) {
    out += "<p class=\"good\">As expected.</p>\n";
  } else {
    out += "<p class=\"bad\">Not as expected:</p>\n<ul class=\"bad\">\n";
    for (const std::string& f : s.failures) out += fmt::format("<li>{}</li>\n", Escaped(f));
    out += "</ul>\n";
  }
  return out + Panels(s) + Parameters(s) + Rules(s) + "</section>\n";
}

}  // namespace

std::string ToHtml(const std::string& title, std::span<const HtmlSection> sections) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}{2}</style>\n</head>\n<body>\n"
      "<svg width=\"0\" height=\"0\" style=\"position:absolute\" class=\"ladder\" "
      "aria-hidden=\"true\"><defs>{3}</defs></svg>\n<h1>{0}</h1>\n",
      Escaped(title), kPageStyle, SvgStyle(true), SvgArrowHead());
  out +=
      "<p>Two hosts, A and B, in virtual time. Time runs downwards and is cut, visibly, where "
      "nothing happens. Each state stands beside its host with the rule that led to it; x and y "
      "are "
      "the initial sequence numbers of A and B.</p>\n";
  if (sections.size() > 1) out += Contents(sections);
  for (const HtmlSection& s : sections) out += Section(s);
  return out + "</body>\n</html>\n";
}

}  // namespace estab::observe
