//! Settings files as people have them.

/// Each is also written in other ways.
const WRITTEN: [&str; 16] = [
    "{}\n",
    "{\n  \"model\": \"opus\"\n}\n",
    r#"{
  "permissions": {
    "allow": [
      "Bash(npm run test:*)",
      "Bash(git diff:*)",
      "WebFetch(domain:docs.rs)",
      "Read(~/.zshrc)"
    ],
    "deny": ["Read(./.env)", "Read(./secrets/**)"],
    "ask": [],
    "defaultMode": "acceptEdits",
    "additionalDirectories": ["../docs/"]
  },
  "model": "claude-opus-4-1",
  "cleanupPeriodDays": 90
}
"#,
    r#"{
  "env": {
    "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
    "OTEL_METRICS_EXPORTER": "otlp",
    "PATH_WITH_ESCAPES": "C:\\Users\\ada\\bin;\"quoted\"\u00e9"
  },
  "includeCoAuthoredBy": false,
  "alwaysThinkingEnabled": true
}
"#,
    r#"{
  "hooks": {
    "PostToolUse": [
      {
        "matcher": "Edit|Write",
        "hooks": [
          {
            "type": "command",
            "command": "jq -r '.tool_input.file_path' | xargs -I{} sh -c 'case \"$1\" in *.ts) npx prettier --write \"$1\";; esac' _ {}"
          }
        ]
      }
    ]
  }
}
"#,
    r#"{
  "hooks": {
    "Stop": [
      {
        "hooks": [
          { "type": "command", "command": "afplay /System/Library/Sounds/Glass.aiff" }
        ]
      }
    ],
    "Notification": [
      {
        "matcher": "",
        "hooks": [
          { "type": "command", "command": "notify-send 'Claude Code' 'needs you'", "timeout": 10 }
        ]
      }
    ]
  },
  "statusLine": { "type": "command", "command": "~/.claude/statusline.sh", "padding": 0 }
}
"#,
    r#"{
  "$schema": "https://json.schemastore.org/claude-code-settings.json",
  "theme": "dark-daltonized",
  "enabledPlugins": {
    "formatter@company-tools": true,
    "deployer@company-tools": false
  },
  "extraKnownMarketplaces": {
    "company-tools": {
      "source": { "source": "github", "repo": "acme/claude-plugins" }
    }
  }
}
"#,
    r#"{
  "hooks": {
    "PreToolUse": [
      {
        "matcher": "Bash",
        "hooks": [
          { "type": "command", "command": "~/.claude/hooks/guard.sh", "if": "Bash(git *)" },
          { "type": "http", "url": "http://127.0.0.1:7777/hooks", "timeout": 5,
            "headers": { "Authorization": "Bearer $TOKEN" }, "allowedEnvVars": ["TOKEN"] }
        ]
      },
      {
        "matcher": "mcp__.*",
        "hooks": [ { "type": "prompt", "prompt": "Is this safe? $ARGUMENTS" } ]
      }
    ],
    "SessionStart": [],
    "UserPromptSubmit": [ { "hooks": [] } ],
    "WorktreeCreate": [ { "hooks": [ { "type": "command", "command": "wt create" } ] } ]
  },
  "disableAllHooks": false
}
"#,
    r#"{
  "sandbox": {
    "enabled": true,
    "excludedCommands": ["docker"],
    "network": { "allowUnixSockets": ["/var/run/docker.sock"], "allowLocalBinding": true }
  },
  "outputStyle": "Explanatory",
  "hooks": {},
  "enableAllProjectMcpServers": true,
  "enabledMcpjsonServers": ["memory", "github"]
}
"#,
    "{\n  \"hooks\": null\n}\n",
    r#"{
  "apiKeyHelper": "/bin/generate_temp_api_key.sh",
  "forceLoginMethod": "claudeai",
  "awsAuthRefresh": "aws sso login --profile myprofile",
  "spinnerTipsEnabled": false, "verbose": true,


  "language": "日本語", "note": "🚀 \ud83d\ude80 \/ \b\f\n\r\t"
}
"#,
    r#"{
  "model": "sonnet",
  "model": "opus",
  "hooks": { "Stop": [] },
  "hooks": { "Stop": [ { "hooks": [ { "type": "command", "command": "say done" } ] } ] }
}
"#,
    r#"{
  "hooks": {
    "SessionStart": [ { "matcher": "startup|resume", "hooks": [ { "type": "command",
      "command": "\"$CLAUDE_PROJECT_DIR\"/.claude/hooks/context.sh" } ] } ],
    "SubagentStop": [ { "hooks": [ { "type": "command", "command": "uv run ~/log.py", "async": true } ] } ],
    "PreCompact": [ { "matcher": "manual", "hooks": [ { "type": "command", "command": "true" } ] } ],
    "SessionEnd": [ { "hooks": [ { "type": "command", "command": "rm -f /tmp/lock" } ] } ]
  }
}
"#,
    "{\n\"permissions\": {\n\"allow\": [\"Bash(ls:*)\"]\n},\n\"vimMode\": true\n}\n",
    "{\n        \"feedbackSurveyState\": { \"lastShownTime\": 1754310000000 },\n        \"n\": [1, -2.5e10, 0.1, true, false, null, [], {}]\n}\n",
    r#"{"permissions":{"allow":["Bash(cargo test:*)"],"deny":[]},"hooks":{"Stop":[{"hooks":[{"type":"command","command":"bell"}]}]},"model":"opus"}"#,
];

pub fn all() -> Vec<String> {
    let ways: [fn(&str) -> String; 6] = [
        str::to_owned,
        |text| text.replace('\n', "\r\n"),
        |text| text.replace("  ", "\t"),
        |text| text.trim_end().to_owned(),
        |text| format!("\u{feff}{text}"),
        |text| format!("\n\n{text}\n \n"),
    ];
    let written = WRITTEN.iter();
    let mut all: Vec<String> = written.flat_map(|text| ways.map(|way| way(text))).collect();
    all.extend(
        [
            "",
            "\n",
            "{ }",
            "{\n}",
            "{\n\n}\n",
            "{\"hooks\":{ \"Stop\":[ ] } }",
        ]
        .map(str::to_owned),
    );
    all
}
