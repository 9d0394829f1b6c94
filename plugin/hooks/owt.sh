#!/bin/sh
# What hooks of Claude Code run: owt.sh EVENT [SPOOL], the event's payload on standard input. It appends one line to the spool, from which owt tells
# what the session does; it starts no Node for that. Of the payload that line holds what the state is told from and no word of anybody's: no prompt, no
# tool's input or answer, no message. It says nothing but an answer that Claude Code wants, and always ends with 0.
#
# SPOOL is given in sessions that owt started. Without it this is an installed hook (plugin, .claude/settings.json): the spool lies in the
# worktree's own git directory, and the session is told its worktree and brings it up to date when it ends.
exec 2>/dev/null
umask 077
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
event=$1
spool=$2
# The agent of a run is watched by the run.
[ -n "$OWT_ATTEMPT" ] && exit 0
limit=4000
# What goes on in the background stands behind the whole of what was said; a question is answered with all its words.
case $event in Stop | StopFailure) limit=1000000 ;; PermissionRequest) limit=20000 ;; esac
payload=$(head -c "$limit" | tr '\n\r' '  ')

if [ -z "$spool" ]; then
  here=${CLAUDE_PROJECT_DIR:-.}
  # Installed twice, as plugin and in the project: one speaks.
  [ -n "$CLAUDE_PLUGIN_ROOT" ] && grep -qs 'hooks/owt\.sh' "$here/.claude/settings.json" && exit 0
  git_dir=$(git -C "$here" rev-parse --absolute-git-dir) || exit 0
  # A session of owt's has hooks of its own for its state.
  [ -z "$OWT_SPOOL" ] && spool=$git_dir/owt-spool
fi

note_state() {
  if [ "$event" = SessionStart ] && [ "$(wc -c <"$spool")" -gt 1000000 ]; then
    tail -c 100000 "$spool" >"$spool.$$" && mv "$spool.$$" "$spool"
  fi
  line="{\"owt_pid\":${CLAUDE_PID:-$PPID},\"hook_event_name\":\"$event\""
  case $event in
    SessionStart) names='session_id transcript_path source' ;;
    SessionEnd) names='session_id transcript_path reason' ;;
    Notification) names='session_id transcript_path notification_type' ;;
    StopFailure) names='session_id transcript_path error' ;;
    *) names='session_id transcript_path' ;;
  esac
  for name in $names; do
    text_of "$name" && line="$line,\"$name\":\"$value\""
  done
  case $payload in
    *'"background_tasks":['*'"type":"subagent","status":"running"'*) line="$line,\"owt_background\":true" ;;
  esac
  [ "$event" = SessionEnd ] && text_of transcript_path && is_busy "${value%/projects/*}" && line="$line,\"owt_busy\":true"
  printf '%s}\n' "$line" >>"$spool"
}

# Its own list of those that run, in its folder $1, from which it is about to take itself: it is not idle since it was last heard of.
is_busy() {
  own=$1/sessions/${CLAUDE_PID:-$PPID}.json
  grep -q '"status":"busy"' "$own" || { [ -e "$own" ] && [ "$spool" -nt "$own" ]; }
}

# The text of that name in the payload, as it is written there. One with a quote in it is left out.
text_of() {
  case $payload in *"\"$1\":\""*) ;; *) return 1 ;; esac
  value=${payload#*"\"$1\":\""}
  case $value in *'"'*) value=${value%%'"'*} ;; *) return 1 ;; esac
  case $value in *'\') return 1 ;; esac
}

# What is asked for as people are shown it, secrets left out; where owt cannot be called, the tool alone.
describe_asked() {
  if [ -n "$OWT_SESSION_MAIN" ]; then
    set -- "$OWT_SESSION_NODE" "$OWT_SESSION_MAIN"
  else
    set -- owt
  fi
  printf '%s' "$payload" | "$@" hook asked && return
  text_of tool_name && printf '{"tool_name":"%s","tool_input":{"command":"…"}}\n' "$value"
}

# Tells the tool of this payload, and what it is to do, from others. Of a long one the beginning, for the payload is cut.
sum_of_tool() {
  tool=${payload#*"\"tool_name\""}
  tool=${tool%%",\"permission_suggestions\""*}
  tool=${tool%%",\"tool_response\""*}
  # A question comes back with its answers.
  tool=${tool%%',"answers":{'*}
  while :; do
    case $tool in *'}' | *' ') tool=${tool%?} ;; *) break ;; esac
  done
  printf '%.2500s' "$tool" | cksum
}

# `owt send` types: until it has, no tool begins, and with it no dialog comes up that would take its Enter for leave. Who died typing is nobody.
wait_for_senders() {
  waited=0
  for sender in "$spool"+sending.*; do
    while [ -e "$sender" ] && [ "$waited" -lt 40 ]; do
      kill -0 "${sender##*.}" || rm -f "$sender"
      sleep 0.05
      waited=$((waited + 1))
    done
  done
  [ "$waited" = 0 ] && return
  # What was typed is read first; and the call is as new as this.
  sleep 0.2
  touch "$spool"
}

# The dialog is on the screen meanwhile, and may be answered there. An answer of `owt task approve` comes as one line through the pipe, which is kept open
# for an hour, as long as the one who asks lives. Whoever finds nobody reading knows that nobody waits any more.
wait_for_leave() {
  # Without a terminal there is no dialog: waiting would hold the agent up.
  [ "$CLAUDE_CODE_ENTRYPOINT" = cli ] || return
  # Nothing that waits stands in a worktree that may go.
  cd /
  ask=$spool+ask.$$
  asker=${CLAUDE_PID:-$PPID}
  text_of session_id || value=
  printf '%s\n' "$value" "$(sum_of_tool)" "$asker" >"$ask.of"
  helpers=
  trap '[ -n "$helpers" ] && kill $helpers; rm -f "$ask" "$ask.of" "$ask.new" "$ask.text"' EXIT
  trap 'exit 0' HUP INT TERM
  mkfifo "$ask" || return
  (
    waited=0
    while [ "$waited" -lt 3600 ] && kill -0 "$asker"; do
      sleep 1
      waited=$((waited + 1))
    done
  ) >"$ask" &
  helpers=$!
  # Beside the waiting: who answers on the screen at once is not missed.
  (describe_asked >"$ask.new" && mv "$ask.new" "$ask.text") &
  helpers="$helpers $!"
  read -r answer <"$ask"
  case $answer in
    '{'*)
      printf '%s\n' "$answer"
      echo '{"hook_event_name":"OwtAnswered"}' >>"$spool"
      ;;
  esac
}

# A dialog that was answered on the screen: who waits for the same with a pipe is let go. $1 is text that its payload holds.
let_go() {
  text_of session_id || value=
  for ask in "$spool"+ask.*[0-9]; do
    [ -p "$ask" ] || continue
    { read -r session && read -r sum; } <"$ask.of" || continue
    [ "$session" = "$value" ] || continue
    [ "$event" != PostToolUse ] || [ "$sum" = "$(sum_of_tool)" ] || continue
    echo 1<>"$ask"
  done
}

if [ -n "$spool" ]; then
  note_state
  case $event in
    PreToolUse) wait_for_senders ;;
    PermissionRequest) wait_for_leave ;;
    PostToolUse | UserPromptSubmit | Stop | StopFailure | SessionEnd) let_go ;;
  esac
fi

if [ -z "$2" ] && command -v owt >/dev/null; then
  case $event in
    UserPromptSubmit) cd "$here" && owt hook context ;;
    SessionEnd)
      case $payload in *'"reason":"clear"'* | *'"reason":"resume"'*) exit 0 ;; esac
      # Only a linked worktree, and behind us: at the end of a session there is no time for a network.
      [ -f "$git_dir/commondir" ] && cd "$here" && (owt hook session-end </dev/null >/dev/null &)
      ;;
  esac
fi
exit 0
