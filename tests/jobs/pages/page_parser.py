"""A parser of pages: text, links, buttons."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

VOID = {"br", "hr", "img", "input", "link", "meta", "base", "col"}
UNSEEN = {"script", "style", "template", "noscript", "head"}


class Node:
    """One element of a page."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Node | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Node | str] = []

    def walk(self) -> Iterator[Node]:
        """Yield this element and all within it."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    def find(self, tag: str = "", **wanted: str) -> list[Node]:
        """Return the elements of this tag with these attributes; `cls` is one of the classes, `_` stands for `-`."""
        return [node for node in self.walk() if (not tag or node.tag == tag) and node.is_like(wanted)]

    def is_like(self, wanted: dict[str, str]) -> bool:
        """Return whether it has these attributes."""
        classes = self.attributes.get("class", "").split()
        return all(
            value in classes if name == "cls" else self.attributes.get(name.replace("_", "-")) == value
            for name, value in wanted.items()
        )

    @property
    def text(self) -> str:
        """The text of the element, with single spaces."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        if self.tag in UNSEEN or "data-copy-text" in self.attributes:  # a script shows the buttons that copy
            return
        apart = "" if self.tag in ("span", "a", "b", "bdi", "time") else " "
        yield apart
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()
        yield apart


class Builder(HTMLParser):
    """The builder of the tree."""

    def __init__(self) -> None:
        super().__init__()
        self.root = self.place = Node("", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        node = Node(tag, {name: value or "" for name, value in attrs}, self.place)
        self.place.children.append(node)
        if tag not in VOID:
            self.place = node

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add an element without content."""
        self.place.children.append(Node(tag, {name: value or "" for name, value in attrs}, self.place))

    def handle_endtag(self, tag: str) -> None:
        """Close the nearest open element of this tag."""
        node: Node | None = self.place
        while node is not None and node.tag != tag:
            node = node.parent
        if node is not None and node.parent is not None:
            self.place = node.parent

    def handle_data(self, data: str) -> None:
        """Add text."""
        self.place.children.append(data)


class Page:
    """A page as a browser shows it."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.source = response.content.decode()
        builder = Builder()
        builder.feed(self.source)
        self.root = builder.root

    @property
    def text(self) -> str:
        """The text of the page."""
        return self.root.text

    def section(self, name: str) -> str:
        """Return the text of one section of the page."""
        return " ".join(node.text for node in self.root.find(data_section=name))

    def hidden(self) -> dict[str, str]:
        """Return the hidden fields of the forms that change something."""
        forms = [form for form in self.root.find("form", method="post") if form.attributes.get("id") != "logout-form"]
        fields = [field for form in forms for field in form.find("input", type="hidden")]
        return {field.attributes["name"]: field.attributes["value"] for field in fields}

    def links(self) -> dict[str, str]:
        """Return the addresses by the text of their links."""
        return {a.text: a.attributes.get("href", "") for a in self.root.find("a")}

    @property
    def messages(self) -> list[str]:
        """The flash messages."""
        return [li.text for ul in self.root.find(cls="messagelist") for li in ul.find("li")]
