"""A partner's backend in a few lines: it serves one page, and mints a short-lived token for it. The key stays here."""

import http.server
import json
import os
import urllib.request
from pathlib import Path

API = os.environ.get("CREATOR_GRAPH_URL", "http://127.0.0.1:4000")
KEY = os.environ["CREATOR_GRAPH_KEY"]  # needs CREATORS_READ, VIDEOS_READ and TOKENS_WRITE
MINT = "mutation($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { token expiresAt } }"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = Path(__file__).with_name("index.html").read_text().replace("{{API}}", API)
        self.send(page.encode(), "text/html; charset=utf-8")

    def do_POST(self):
        # Here a real backend looks up who is signed in, and adds allowedReferences: [that user's id].
        wish = {"expiresIn": 600, "scopes": ["CREATORS_READ", "VIDEOS_READ"]}
        body = json.dumps({"query": MINT, "variables": {"input": wish}}).encode()
        headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{API}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.send(json.dumps(json.load(answer)["data"]["createAccessToken"]).encode(), "application/json")

    def send(self, body, media):
        self.send_response(200)
        self.send_header("Content-Type", media)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
