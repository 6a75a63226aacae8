// What the two writers make of the same document, and of text that would be more than text.
#include <doctest/doctest.h>

#include <sstream>

#include "integrations/report/html_writer.h"
#include "integrations/report/markdown_writer.h"

using saetap::DocumentWriter;
using saetap::HtmlWriter;
using saetap::Line;
using saetap::MarkdownWriter;

namespace {

template <typename Writer, typename Write>
std::string written(Write write) {
  std::ostringstream out;
  Writer writer(out);
  write(writer);
  return out.str();
}

const saetap::TableOf kTable{.caption = "Two",
                             .columns = {{"name", false}, {"count", true}},
                             .rows = {{{saetap::plain("a|b")}, {saetap::plain("1")}},
                                      {{saetap::link_to("x", "feature-2")}, {saetap::plain("1,000")}}}};

}  // namespace

TEST_CASE("a heading's id is what GitHub makes of it") {
  CHECK(saetap::heading_id("Feature 12") == "feature-12");
  CHECK(saetap::heading_id("Came back, maybe resampled") == "came-back-maybe-resampled");
}

TEST_CASE("tables in Markdown line up, whatever is in them") {
  CHECK(written<MarkdownWriter>([](DocumentWriter& to) { to.table(kTable); }) ==
        "\n| name            | count |\n| ---             |  ---: |\n| a\\|b            |     1 |\n"
        "| [x](#feature-2) | 1,000 |\n");
}

TEST_CASE("spans that are marked alike are one in Markdown") {
  const Line line{saetap::plain("1 · "), saetap::strong("no"), saetap::strong("d"), saetap::plain("ding")};
  CHECK(written<MarkdownWriter>([&](DocumentWriter& to) { to.list({line}, true); }) == "\n1. 1 · **nod**ding\n");
}

TEST_CASE("HTML sections hold what follows their heading and are all closed") {
  const std::string page = written<HtmlWriter>([](DocumentWriter& to) {
    to.begin("t");
    to.heading(2, "A");
    to.heading(3, "B");
    to.heading(2, "C");
    to.end();
  });
  CHECK(page.find("<section>\n<h2 id=\"a\">A</h2>\n<section>\n<h3 id=\"b\">B</h3>\n</section>\n</section>\n"
                  "<section>\n<h2 id=\"c\">C</h2>\n</section>\n</main>") != std::string::npos);
}

TEST_CASE("in HTML text stays text") {
  CHECK(saetap::html_escaped("<b a='\"&") == "&lt;b a=&#39;&quot;&amp;");
  CHECK(saetap::html_escaped("a\xFFz") == "a\xEF\xBF\xBDz");
  const Line line{{.text = "<i>", .strong = true, .link = {}, .shade = 0.5, .note = "\"7\""}};
  const std::string page = written<HtmlWriter>([&](DocumentWriter& to) { to.paragraph(line); });
  CHECK(page == "<p><mark style=\"--s:0.50\" title=\"&quot;7&quot;\">&lt;i&gt;</mark></p>\n");
}
