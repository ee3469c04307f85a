"""A client of a language server, as an editor is one: JSON-RPC over its standard streams."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WAIT = 60.0


class LanguageServer:
    """A running yaml-language-server that takes all files for rules files."""

    def __init__(self, node: str, script: Path, schema: Path) -> None:
        self._settings = {
            "validate": True,
            "hover": True,
            "completion": True,
            "schemaStore": {"enable": False},  # nothing is looked up elsewhere
            "schemas": {schema.as_uri(): "*.yaml"},
        }
        self._process = subprocess.Popen(
            [node, str(script), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._answers: queue.Queue[tuple[int, Any]] = queue.Queue()
        self._diagnostics: queue.Queue[tuple[str, list[dict[str, Any]]]] = queue.Queue()
        self._number = 0
        self._version = 0
        threading.Thread(target=self._read, daemon=True).start()
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": _CAN})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": {"yaml": self._settings}})

    def diagnostics(self, paths: Iterable[Path]) -> dict[str, list[str]]:
        """What the server says of files, by their URI: `line:column: message`, sorted."""
        waiting = {self._open(path) for path in paths}
        told: dict[str, list[str]] = {}
        while waiting:
            uri, found = self._diagnostics.get(timeout=WAIT)
            if uri in waiting:
                waiting.remove(uri)
                self._tell("textDocument/didClose", {"textDocument": {"uri": uri}})
                places = [(one["range"]["start"], one["message"]) for one in found]
                lines = [(p["line"] + 1, p["character"] + 1, text) for p, text in places]
                told[uri] = [f"{line}:{column}: {text}" for line, column, text in sorted(lines)]
        return told

    def hover(self, path: Path, line: int, column: int) -> str:
        """What is shown of the word at a place (both count from 1)."""
        found = self._at("textDocument/hover", path, line, column)
        contents = found["contents"] if found else ""
        return str(contents["value"] if isinstance(contents, dict) else contents)

    def completion(self, path: Path, line: int, column: int) -> set[str]:
        """What is offered at a place."""
        found = self._at("textDocument/completion", path, line, column)
        items = found["items"] if isinstance(found, dict) else found
        return {item["label"] for item in items}

    def stop(self) -> None:
        self._ask("shutdown", None)
        self._tell("exit", None)
        self._process.wait(WAIT)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _open(self, path: Path) -> str:
        text = path.read_text(encoding="utf-8")
        self._version += 1  # the server remembers what it read of a version
        about = {"uri": path.as_uri(), "languageId": "yaml", "version": self._version}
        self._tell("textDocument/didOpen", {"textDocument": {**about, "text": text}})
        return path.as_uri()

    def _at(self, method: str, path: Path, line: int, column: int) -> Any:
        uri = self._open(path)
        where = {"line": line - 1, "character": column - 1}
        found = self._ask(method, {"textDocument": {"uri": uri}, "position": where})
        self._tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        return found

    def _ask(self, method: str, params: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            number, answer = self._answers.get(timeout=WAIT)
            if number == self._number:
                return answer

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream = self._process.stdin
        assert stream is not None
        stream.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        stream.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            if not header.lower().startswith(b"content-length"):
                continue
            stream.readline()
            self._take(json.loads(stream.read(int(header.split(b":")[1]))))

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method == "workspace/configuration":
            asked = [item.get("section") for item in message["params"]["items"]]
            told = [self._settings if section == "yaml" else None for section in asked]
            self._send({"id": message["id"], "result": told})
        elif method == "textDocument/publishDiagnostics":
            params = message["params"]
            self._diagnostics.put((params["uri"], params["diagnostics"]))
        elif method is None:
            self._answers.put((message["id"], message.get("result")))
        elif "id" in message:
            self._send({"id": message["id"], "result": None})


_CAN = {
    "workspace": {"configuration": True},
    "textDocument": {"hover": {"contentFormat": ["markdown"]}},
}
