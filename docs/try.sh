# What the requests of these pages use, on the laptop's stack: `. docs/try.sh` at the root of the checkout, after `make up`.
# Each use makes an organisation. When the plan's number of them is used up, set ME to another user's id.
# It sets CONSIGNE_URL, TOKEN and SERVICE_TOKEN, makes an organisation ORG with 100 credits, and issues its key KEY.

. target/local/stack.env

# Prints a part of the JSON on standard input, such as `field '["data"]["id"]'`.
field() {
  python3 -c "import json, sys; print(json.load(sys.stdin)$1)"
}

# Calls the API as the person ME: `api PATH [OPTIONS OF CURL]`.
api() {
  curl --silent --show-error "$CONSIGNE_URL$1" --header "Authorization: Bearer $TOKEN" "${@:2}"
}

TOKEN=$(make --silent token FOR="${ME:-user_me}")
ORG=$(api /api/orgs --json '{"name": "Acme"}' | field '["data"]["id"]')
target/debug/consigne credits grant "$ORG" 100 --reason "a first try" > /dev/null
KEY=$(api "/api/orgs/$ORG/keys" --json '{"name": "First", "environment": "production", "scopes": ["pdf:read", "pdf:write"]}' | field '["data"]["key"]')
