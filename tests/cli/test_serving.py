"""What the server of a race's page answers, and whom."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from banach.cli import serving
from banach.cli.console import Usage
from banach.racing.so_far import SoFar


@pytest.fixture
def so_far():
    return SoFar(["<b>mine"], tol=1e-6, time_limit=1.0, patience=None, command="x")


@pytest.fixture
def page(so_far):
    with serving.Page(so_far) as page:
        yield page


def ask(page, path="/", verb="GET", host=None, to="127.0.0.1"):
    connection = http.client.HTTPConnection(to, page.port, timeout=10)
    connection.putrequest(verb, path, skip_host=True)
    for name in [f"127.0.0.1:{page.port}"] if host is None else host:
        connection.putheader("Host", name)
    connection.endheaders()
    answer = connection.getresponse()
    return answer, answer.read().decode()


def test_the_page_and_its_policy(page):
    answer, text = ask(page)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith(
        "text/html"
    )
    assert "&lt;b&gt;mine" in text and "<b>mine" not in text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "connect-src 'self'" in policy and "frame-ancestors 'none'" in policy
    for name, value in {
        "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer",
    }.items():  # fmt: skip
        assert answer.headers[name] == value
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert "Python" not in answer.headers["Server"]
    assert not re.search(r"""(src|href)=["'](https?:)?//""", text)


def test_other_hosts_are_refused(page):
    port = page.port
    for host in (
        ["evil.example"], [f"evil.example:{port}"], ["127.0.0.1"], [""], [],
        [f"127.0.0.1:{port}", f"evil.example:{port}"], [f"127.0.0.1:{port + 1}"],
        [f"127.0.0.1:{port}.evil.example"],
    ):  # fmt: skip
        for path in ("/", "/events"):
            answer, text = ask(page, path, host=host)
            assert answer.status == 421 and "mine" not in text, host
    assert ask(page, host=[f"localhost:{port}"])[0].status == 200


def test_only_get_and_only_the_page(page):
    for verb in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        answer, _ = ask(page, verb=verb)
        assert answer.status == 405 and answer.headers["Allow"] == "GET"
    for path in ("/x", "/../etc/passwd", "http://evil.example/", "/events/"):
        answer, text = ask(page, path)
        assert answer.status == 404 and "mine" not in text
    assert ask(page, "/?again=1")[0].status == 200


def test_it_listens_on_the_loopback_alone(page):
    assert page._server.socket.getsockname()[0] == "127.0.0.1"
    assert page.port != 0 and page.address == f"http://127.0.0.1:{page.port}/"


def events(page):
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.request("GET", "/events")
    return connection.getresponse()


def test_events_tell_of_each_change(page, so_far, monkeypatch):
    stream = events(page)
    assert stream.headers["Content-Type"].startswith("text/event-stream")

    def told():
        while not (line := stream.readline().decode()).startswith("data: "):
            assert line
        return int(line[6:])

    first = told()
    so_far.began()
    assert told() == first + 1
    so_far.update("fista", None)
    assert told() == first + 2
    assert "fista" in ask(page)[1]


def test_streams_are_few(page, monkeypatch):
    many = [events(page) for _ in range(serving.STREAMS)]
    assert [s.status for s in many] == [200] * serving.STREAMS
    assert events(page).status == 503 and ask(page)[0].status == 200


def test_ports(so_far, page):
    with pytest.raises(Usage, match=f"port {page.port} of 127.0.0.1 cannot be used"):
        serving.Page(so_far, page.port)
    with pytest.raises(Usage, match="up to 65535"):
        serving.Page(so_far, 70_000)


def test_the_command_serves_until_ctrl_c(tmp_path):
    """The page holds the verdicts after the race, and Ctrl-C ends with its code."""
    # What runs the suite in the background may have Ctrl-C ignored.
    heard = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from banach.__main__ import main; main()"
    )
    command = [sys.executable, "-c", heard, "race", "ridge:diabetes"]
    command += ["--method", "fista", "--method", "lbfgs", "--serve", "--html", "r.html"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "stays until Ctrl-C" in line:
                break
        address = re.match(r"page: (http://127\.0\.0\.1:(\d+)/)\n", lines[0])
        assert address, lines
        connection = http.client.HTTPConnection(
            "127.0.0.1", int(address[2]), timeout=10
        )
        connection.request("GET", "/")
        text = connection.getresponse().read().decode()
        assert text.count('data-key="certified"') == 2 and "Fastest with comp" in text
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0 and err == ""
    assert len(out.splitlines()) == 4 and (tmp_path / "r.html").is_file()
    with (
        pytest.raises(OSError),
        socket.create_connection(("127.0.0.1", int(address[2])), timeout=1),
    ):
        time.sleep(0)


def test_a_port_without_a_page_is_refused(capsys):
    from banach.cli import fast_parser

    assert fast_parser.run(["race", "ridge:diabetes", "--port", "8080"]) == 2
    assert "add --serve" in capsys.readouterr().err
