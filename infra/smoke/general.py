"""Checks of the whole API: health, unknown routes, browsers, jobs."""

from client import Api, Person, Skipped, expect


def health(api: Api) -> None:
    """The health route answers ok."""
    body = api.want(200, "GET", "/api/health")
    expect(body["success"] and body["data"]["status"] == "ok", f"health: {body}")


def unknown_routes_and_methods(api: Api) -> None:
    """An unknown route answers 404, and a wrong method 405 with the allowed ones."""
    answer = api.refused(404, "NOT_FOUND", "GET", "/api/there/is/no/such/route")
    expect(bool(answer.headers.get("x-request-id")), "no X-Request-Id")
    answer = api.refused(405, "METHOD_NOT_ALLOWED", "PUT", "/api/files/list")
    expect(answer.headers.get("allow") == "GET", f"Allow: {answer.headers.get('allow')}")


def browsers_may_call(api: Api, origin: str | None) -> None:
    """CORS allows pages of the application to call every kind of route, and no other pages."""
    if not origin:
        raise Skipped("the token has no azp: set ORIGIN")
    asked = {"access_control_request_method": "PUT", "access_control_request_headers": "authorization,idempotency-key"}
    for path in ("/api/files/uploads", "/api/v1/pdf/anything", "/api/no/such/route", "/api/files/delete"):
        answer = api.call("OPTIONS", path, origin=origin, **asked)
        expect(answer.status in (200, 204), f"OPTIONS {path} answered {answer.status}")
        allowed = answer.headers.get("access-control-allow-origin")
        expect(allowed == origin, f"OPTIONS {path}: Access-Control-Allow-Origin is {allowed}, not {origin}")
        names = answer.headers.get("access-control-allow-headers", "").lower()
        for name in ("authorization", "content-type", "idempotency-key", "x-api-key"):
            expect(name in names, f"OPTIONS {path}: does not allow the header {name}")
    foreign = api.call("OPTIONS", "/api/files/uploads", origin="https://other.example", **asked)
    expect("access-control-allow-origin" not in foreign.headers, "CORS allows a page of another origin")


def jobs(api: Api, ann: Person) -> None:
    """A job can be requested, read, listed and cancelled, unless the plan does not include it."""
    answer = api.call("POST", "/api/secure/images/generate", {"prompt": "a lighthouse", "count": 1}, who=ann)
    if answer.status in (403, 429):
        raise Skipped(f"the user's plan does not allow it: {answer.error()['code']}")
    expect(answer.status == 201, f"generate answered {answer.status}: {answer.body[:200]!r}")
    job = answer.json()["data"]["job_id"]
    status = api.want(200, "GET", f"/api/secure/jobs/{job}/status", who=ann)["data"]
    expect(status["job_id"] == job and status["status"] in ("pending", "processing"), f"the job: {status}")
    listed = api.want(200, "GET", "/api/secure/jobs?limit=5", who=ann)["data"]
    expect(any(one["job_id"] == job for one in listed), "the job is not listed")
    # 409: a generator has already begun.
    cancelled = api.call("DELETE", f"/api/secure/jobs/{job}", who=ann)
    expect(cancelled.status in (200, 409), f"cancelling answered {cancelled.status}")
