"""The elements and the text of an HTML page."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Collects the tags with their attributes, in order, and the text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.unread = False  # inside a script or a style
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        self.tags.append((tag, dict(attrs)))
        self.unread = tag in ("script", "style")

    def handle_endtag(self, tag: str):
        self.unread = False

    def handle_data(self, data: str):
        if not self.unread:
            self.text += data

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]
