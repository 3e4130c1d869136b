#!/usr/bin/env python3
"""What a person does in a browser, for scripts: set a password through a link, sign in through a login URL.

browser.py set-password URL PASSWORD
browser.py sign-in URL USERNAME PASSWORD     also approves what the contract asks for; prints it first
"""
import json
import sys
import urllib.error
import urllib.parse
import urllib.request


def send(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as problem:
        sys.exit(f"{url.split('?')[0]}: HTTP {problem.code} {problem.read().decode()}")


def parts(url):
    parsed = urllib.parse.urlsplit(url)
    flow = urllib.parse.parse_qs(parsed.query)["flowId"][0]
    return f"{parsed.scheme}://{parsed.netloc}", flow


def set_password(url, password):
    origin, flow = parts(url)
    send(f"{origin}/auth/account-flow/{flow}/local-password", {"password": password})


def sign_in(url, username, password):
    origin, flow = parts(url)
    send(f"{origin}/auth/login/local", {"flowId": flow, "username": username, "password": password})
    state = send(f"{origin}/auth/flow/{flow}")
    if state["status"] == "approval_required":
        print(f"{state['approval']['displayName']} asks for:")
        for key, text in state["approval"]["capabilities"].items():
            print(f"  {text['displayName']}: {text['description']} ({key})")
        state = send(f"{origin}/auth/flow/{flow}/approval", {"approved": True})
    if state["status"] != "redirect":
        sys.exit(f"not signed in: {json.dumps(state)}")


if __name__ == "__main__":
    commands = {"set-password": set_password, "sign-in": sign_in}
    if len(sys.argv) < 4 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
