"""A network with nothing in it but AWS's platforms: an ECS task's, an EKS pod's and an EC2 instance's addresses, and an
endpoint that notes how it was asked. Runs the command it is given until that is known, and prints what was asked of whom."""

import fcntl
import json
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIOCSIFADDR, SIOCSIFFLAGS, UP = 0x8916, 0x8914, 0x1
PLATFORMS = {"169.254.170.2": "ASIATASK", "169.254.170.23": "ASIAPOD", "169.254.169.254": "ASIAINSTANCE"}
seen = {"platform": [], "signed": None}
asked = threading.Event()


def give(address, label):
    """The loopback device under one more label, with that address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        name = label.encode()
        packed = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(device, SIOCSIFADDR, struct.pack("16s16s8x", name, packed))
        fcntl.ioctl(device, SIOCSIFFLAGS, struct.pack("16sH22x", name, UP))


class Platform(BaseHTTPRequestHandler):
    def do_PUT(self):
        # The token of IMDSv2.
        self.tell(200, "session", {"x-aws-ec2-metadata-token-ttl-seconds": "600"})

    def do_GET(self):
        own = self.connection.getsockname()[0]
        words = [own, "GET", self.path, self.headers.get("authorization")]
        seen["platform"].append(" ".join(word for word in words if word))
        if own == "169.254.169.254" and self.headers.get("x-aws-ec2-metadata-token") != "session":
            return self.tell(401, "")
        if self.path.endswith("/security-credentials/"):
            return self.tell(200, "role")
        if "credentials" not in self.path:
            return self.tell(404, "")
        given = {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": PLATFORMS[own], "SecretAccessKey": "s"}
        given |= {"Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
        self.tell(200, json.dumps(given))

    def tell(self, status, body, headers={}):
        self.send_response(status)
        for name, value in (headers | {"content-length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class Endpoint(Platform):
    def do_POST(self):
        seen["signed"] = self.headers.get("authorization")
        self.rfile.read(int(self.headers["content-length"]))
        self.tell(400, '{"__type": "AccessDeniedException", "message": "seen"}')
        asked.set()


def serve(address, port, handler):
    server = ThreadingHTTPServer((address, port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


give("127.0.0.1", "lo")
for number, platform in enumerate(PLATFORMS):
    give(platform, f"lo:{number}")
    serve(platform, 80, Platform)
serve("127.0.0.1", 8080, Endpoint)
agent = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
asked.wait(20)
agent.kill()
agent.wait()
print(json.dumps(seen))
