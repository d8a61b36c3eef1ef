# headgate METHOD PATH [BODY [OPTION...]] prints the response. For an error, it prints what is wrong to standard error, and
# fails. The key is in no command line, where other users of the machine would see it.
headgate() {
  local response
  response=$(curl --silent --show-error --fail-with-body --request "$1" "$HEADGATE_URL$2" \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$HEADGATE_API_KEY") \
    --header 'Content-Type: application/json' ${3:+--data-binary @<(printf '%s' "$3")} "${@:4}") ||
    { jq --raw-output '.summary // .reason' <<<"$response" >&2; return 1; }
  printf '%s\n' "$response"
}
