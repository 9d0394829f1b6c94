#!/bin/sh
# What hooks of Claude Code run: owt.sh EVENT [SPOOL], the event's payload on standard input. It appends one line to the spool, from which owt tells
# what the session does; it starts no Node for that. It says nothing but an answer that Claude Code wants, and always ends with 0.
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
payload=$(head -c 4000 | tr '\n\r' '  ')

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
  printf '{"owt_pid":%s,%s\n' "${CLAUDE_PID:-$PPID}" "${payload#\{}" >>"$spool"
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

# The dialog is on the screen meanwhile, and may be answered there. An answer of `owt task approve` comes as one line through the pipe; `sleep` keeps
# the pipe open, and its end is the end of the waiting. Whoever finds nobody reading knows that nobody waits any more.
wait_for_leave() {
  # Without a terminal there is no dialog: waiting would hold the agent up.
  [ "$CLAUDE_CODE_ENTRYPOINT" = cli ] || return
  ask=$spool+ask.$$
  printf '%s\n' "$payload" >"$ask.text"
  timer=
  trap 'rm -f "$ask" "$ask.text"; [ -n "$timer" ] && kill "$timer"' EXIT
  trap 'exit 0' HUP INT TERM
  mkfifo "$ask" || return
  sleep 3600 >"$ask" &
  timer=$!
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
  session=${payload#*\"session_id\":\"}
  session=${session%%\"*}
  for ask in "$spool"+ask.*[0-9]; do
    [ -p "$ask" ] || continue
    read -r asked <"$ask.text"
    case $asked in *"\"session_id\":\"$session\""*) ;; *) continue ;; esac
    tool=${asked#*\"tool_name\"}
    tool=${tool%%,\"permission_suggestions\"*}
    case $event:$payload in
      PostToolUse:*"\"tool_name\"$tool"*) ;;
      PostToolUse:*) continue ;;
    esac
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
