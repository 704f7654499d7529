"""Standard Webhooks' own library verifies what the webhooks process sends."""

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

CLIENT = "standardwebhooks"


@pytest.fixture(scope="module")
def deliveries():
    """Where to send webhooks, and those that came: headers and body."""
    came = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.put((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", came
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def delivery(url, deliveries):
    target, came = deliveries
    body = {"input": {"x": [["Wört"]]}, "webhook": target}
    made = httpx.post(f"{url}/v1/models/identity-bytes/predictions", json=body)
    assert made.status_code == 202
    return made.json()["id"], *came.get(timeout=30)


@pytest.fixture(scope="module")
def secret(url):
    return httpx.get(f"{url}/v1/webhooks/default/secret").json()["key"]


def test_verify(delivery, secret):
    """A delivery's signature is that of the secret which the API tells"""
    made, headers, body = delivery
    prediction = Webhook(secret).verify(body, headers)
    assert (prediction["id"], prediction["status"]) == (made, "succeeded")
    assert prediction["output"] == {"y": [["Wört"]]}


def test_tampered(delivery, secret):
    """Another body, another id and another secret are told apart"""
    _, headers, body = delivery
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    other = {name: "x" if name.lower() == "webhook-id" else value for name, value in headers.items()}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, other)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "QUFB" * 8).verify(body, headers)
