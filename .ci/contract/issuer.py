"""Publishes a key set on 127.0.0.1 and writes what a gateway and its caller need
into a folder: issuer (URL), token, api.port and admin.port (free ports)."""

import base64
import http.server
import json
import pathlib
import socket
import sys
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

folder = pathlib.Path(sys.argv[1])
key = ec.generate_private_key(ec.SECP256R1())


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(claims: dict) -> str:
    signed = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT", "kid": "k"}, claims))
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return signed + "." + encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


class KeySet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        point = key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "use": "sig",
               "x": encode(point.x.to_bytes(32, "big")), "y": encode(point.y.to_bytes(32, "big"))}
        body = json.dumps({"keys": [jwk]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeySet)
issuer = f"http://127.0.0.1:{server.server_port}"
with socket.create_server(("127.0.0.1", 0)) as api, socket.create_server(("127.0.0.1", 0)) as admin:
    (folder / "api.port").write_text(str(api.getsockname()[1]))
    (folder / "admin.port").write_text(str(admin.getsockname()[1]))
(folder / "issuer").write_text(issuer)
(folder / "token").write_text(token({
    "iss": issuer, "aud": "scopegate", "sub": "u", "company_id": 1000, "roles": ["supervisor"], "exp": int(time.time()) + 24 * 3600}))
server.serve_forever()
