//! A headless Chromium, spoken to by its DevTools protocol.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::root::installed;

/// A browser with one page.
pub(crate) struct Chromium {
    child: Child,
    profile: PathBuf,
    socket: WebSocketStream<TcpStream>,
    page: String,
    asked: u64,
    /// Read on, or the browser would wait for room to complain in.
    stderr: tokio::task::JoinHandle<()>,
}

/// The file of a Chromium, whatever it is called here.
pub(crate) fn program() -> Option<PathBuf> {
    [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ]
    .iter()
    .find_map(|name| installed(name))
}

impl Chromium {
    /// Starts it on a page. `resolve` maps the page's host to an address, as `/etc/hosts` would.
    ///
    /// # Errors
    ///
    /// A sentence.
    pub(crate) async fn open(
        program: PathBuf,
        url: &str,
        resolve: Option<(&str, SocketAddr)>,
    ) -> Result<Self, String> {
        let random = crate::phone::random().map_err(|error| error.to_string())?;
        let profile = std::env::temp_dir().join(format!("sidetone-doctor-browser-{random}"));
        let mut command = Command::new(&program);
        command.args(FLAGS);
        // Chromium refuses to run as root otherwise.
        if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
            command.arg("--no-sandbox");
        }
        command.arg(format!("--user-data-dir={}", profile.display()));
        if let Some((host, address)) = resolve {
            command.arg(format!("--host-resolver-rules=MAP {host} {}", address.ip()));
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let spawned = command.kill_on_drop(true).spawn();
        let mut child = spawned.map_err(|error| format!("{}: {error}", program.display()))?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let listening = timeout(START_MAX, listening(stderr)).await;
        let (tools, stderr) = listening.map_err(|_| "it does not start in time")??;
        let address = tools
            .strip_prefix("ws://")
            .and_then(|rest| rest.split('/').next());
        let stream = TcpStream::connect(address.unwrap_or_default()).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let opened = tokio_tungstenite::client_async(tools.as_str(), stream).await;
        let (socket, _) = opened.map_err(|error| error.to_string())?;
        let mut browser = Self {
            child,
            profile,
            socket,
            page: String::new(),
            asked: 0,
            stderr,
        };
        let made = browser
            .ask("Target.createTarget", json!({ "url": url }))
            .await?;
        let attached = browser
            .ask(
                "Target.attachToTarget",
                json!({ "targetId": made["targetId"], "flatten": true }),
            )
            .await?;
        attached["sessionId"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut browser.page);
        browser.load().await?;
        Ok(browser)
    }

    /// Waits until the page is there; what is evaluated before is lost with the empty page.
    async fn load(&mut self) -> Result<(), String> {
        for _ in 0..LOOKS_MAX {
            let state = "location.href !== 'about:blank' && document.readyState === 'complete'";
            // The question itself may be lost that way.
            if self.evaluate(state).await == Ok(Value::Bool(true)) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        Err("the page does not load".to_owned())
    }

    /// What an expression of the page becomes in the end.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Result<Value, String> {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let evaluated = self.ask("Runtime.evaluate", parameters).await?;
        match evaluated.pointer("/exceptionDetails/exception/description") {
            Some(thrown) => Err(thrown.as_str().unwrap_or("the page throws").to_owned()),
            None => Ok(evaluated["result"]["value"].clone()),
        }
    }

    async fn ask(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.asked += 1;
        let mut question = json!({ "id": self.asked, "method": method, "params": params });
        if !self.page.is_empty() {
            question["sessionId"] = self.page.clone().into();
        }
        let sent = self.socket.send(Frame::text(question.to_string())).await;
        sent.map_err(|error| error.to_string())?;
        let answered = timeout(ANSWER_MAX, async {
            while let Some(frame) = self.socket.next().await {
                let text = frame.map_err(|error| error.to_string())?.into_data();
                let answer: Value = serde_json::from_slice(&text).unwrap_or_default();
                if answer["id"] == self.asked {
                    return match answer.pointer("/error/message") {
                        Some(message) => Err(message.to_string()),
                        None => Ok(answer["result"].clone()),
                    };
                }
            }
            Err("the browser is gone".to_owned())
        });
        answered
            .await
            .map_err(|_| format!("{method} takes too long"))?
    }

    /// Ends it.
    pub(crate) async fn close(mut self) {
        let _ = self.child.kill().await;
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.stderr.abort();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// `DevTools listening on ws://127.0.0.1:PORT/devtools/browser/ID`.
async fn listening(stderr: ChildStderr) -> Result<(String, tokio::task::JoinHandle<()>), String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut last = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, tools)) = line.split_once("DevTools listening on ") {
            let tools = tools.trim().to_owned();
            let rest =
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok((tools, rest));
        }
        last = line;
    }
    Err(format!("it ends at once: {last}"))
}

/// A fake camera and microphone; certificates are another link's affair.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--ignore-certificate-errors",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "about:blank",
];

const LOOKS_MAX: usize = 150;
const LOOK_PAUSE: Duration = Duration::from_millis(100);
const START_MAX: Duration = Duration::from_secs(30);
const ANSWER_MAX: Duration = Duration::from_secs(60);
