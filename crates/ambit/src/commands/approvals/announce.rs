//! Telling people that something waits: signed POSTs to chats, a notice on the desktop. A process of its own, so that no
//! hook waits for a network.

use crate::environment;
use crate::output::complain;
use anyhow::{Context as _, Result, bail};
use approvals::webhook::{Form, SIGNATURE_HEADER, TIME_HEADER, message, signature};
use approvals::{Case, Store};
use guard::{Settings, visible, workspace_of};
use jiff::Timestamp;
use model::AbsPath;
use policy::{ChatForm, Config, Webhook};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// How long a chat may take to answer, and how often it is tried.
const CHAT_TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;
/// The largest secret file, in bytes.
const MAX_SECRET: u64 = 4096;

/// Starts the telling in a process of its own. What cannot be started is no reason to stop anything.
pub(crate) fn spawn(id: &str, places: &[String]) {
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new(program);
    command.args(["approvals", "announce", id]).args(places);
    // A group of its own: whoever ends the hook's does not end this.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _ = command.spawn();
}

/// Tells all channels.
pub(crate) fn run(id: &str, places: &[String]) -> Result<ExitCode> {
    let roots = match environment::given_places(places)? {
        Some(roots) => roots,
        None => environment::roots()?,
    };
    let now = Timestamp::now();
    let id: approvals::Id = id.parse()?;
    let case =
        Store::open(&roots.state)?.get(id, now)?.with_context(|| format!("there is no request {id}"))?;
    let cwd = AbsPath::parse(&case.request.question.exact.cwd)?;
    let settings = Settings::load(&roots, &workspace_of(&cwd, roots.home.as_ref()))?;
    let told = tell(&case, &settings.config, now);
    Ok(ExitCode::from(u8::from(!told)))
}

/// Whether every channel took it.
fn tell(case: &Case, config: &Config, now: Timestamp) -> bool {
    if config.approvals.notice.unwrap_or(true) && environment::has_desktop() {
        notice(case);
    }
    let mut all = true;
    for webhook in &config.approvals.webhooks {
        if let Err(e) = post(case, webhook, now) {
            complain(format!("{}: {e:#}", host_of(&webhook.url)));
            all = false;
        }
    }
    all
}

/// Only the host: an address of a chat is a secret itself.
fn host_of(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest.split(['/', '?']).next().unwrap_or(rest))
}

fn notice(case: &Case) {
    let title = format!("Ambit: {} needs {}", case.request.id, case.request.question.quorum.words());
    let text = visible(&case.request.question.story.title);
    let mut command = Command::new("notify-send");
    command.args(["--app-name=Ambit", "--urgency=critical", "--", &title, &text]);
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn form(form: ChatForm) -> Form {
    match form {
        ChatForm::Plain => Form::Plain,
        ChatForm::Slack => Form::Slack,
        ChatForm::Teams => Form::Teams,
    }
}

/// The secret in a file that nobody else can read.
fn secret(path: &Path) -> Result<Vec<u8>> {
    let about = fs_err::metadata(path)?;
    if about.mode() & 0o077 != 0 {
        bail!("`{}` can be read by others; run: chmod 600 {}", path.display(), path.display());
    }
    if about.len() > MAX_SECRET {
        bail!("`{}` is too large for a secret", path.display());
    }
    let bytes = fs_err::read(path)?;
    let end = bytes.iter().rposition(|b| !b.is_ascii_whitespace()).map_or(0, |at| at + 1);
    if end == 0 {
        bail!("`{}` is empty", path.display());
    }
    Ok(bytes.into_iter().take(end).collect())
}

fn post(case: &Case, webhook: &Webhook, now: Timestamp) -> Result<()> {
    let host = host_of(&webhook.url);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let loopback = matches!(name, "127.0.0.1" | "localhost" | "[::1]");
    if !(webhook.url.starts_with("https://") || webhook.url.starts_with("http://") && loopback) {
        bail!("requests are told only over https, or http on the loopback");
    }
    let body = serde_json::to_vec(&message(form(webhook.form), case, None))?;
    let time = u64::try_from(now.as_second()).unwrap_or(0);
    let mut last = None;
    for round in 0..TRIES {
        std::thread::sleep(Duration::from_millis(500) * round);
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(CHAT_TIMEOUT))
            // A redirect would lead the command's text elsewhere.
            .max_redirects(0)
            .build()
            .into();
        let mut request = agent
            .post(&webhook.url)
            .header("Content-Type", "application/json; charset=utf-8")
            .header(TIME_HEADER, time.to_string());
        if let Some(file) = &webhook.secret_file {
            let secret = secret(Path::new(file))?;
            let signature = signature(&secret, time, &body).context("the secret cannot be a key")?;
            request = request.header(SIGNATURE_HEADER, signature);
        }
        match request.send(&body) {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => last = Some(anyhow::anyhow!("it answered {}", answer.status())),
            // Errors of the client may hold the whole address.
            Err(ureq::Error::StatusCode(code)) => last = Some(anyhow::anyhow!("it answered {code}")),
            Err(ureq::Error::Timeout(_)) => last = Some(anyhow::anyhow!("it did not answer in time")),
            Err(_) => last = Some(anyhow::anyhow!("it could not be reached")),
        }
    }
    last.map_or(Ok(()), Err)
}
