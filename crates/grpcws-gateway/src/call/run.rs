//! The call itself.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use grpcws_client::{
    CallEvent, CallOptions, CallRequests, CallResponses, Client, ClientOptions, Code, HttpVersion, JsonEvent,
    JsonRequests, JsonResponses, Status, TlsOptions,
};
use http::HeaderMap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::arguments::CallArguments;
use super::input::{Input, Message};
use super::output::Output;
use super::split::Piece;
use crate::terminal::NOT_WRITTEN;

/// The largest response message that is shown.
const MAX_RESPONSE: u64 = 64 * 1024 * 1024;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Why a call was not even tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// An argument cannot be what the user means; the text says which.
    #[error("{0}")]
    Usage(String),
    /// The process cannot watch signals.
    #[error("cannot watch signals")]
    Signals(#[source] std::io::Error),
}

/// The sending half of either kind of call.
enum Requests {
    Json(JsonRequests),
    Proto(CallRequests),
}

/// The receiving half of either kind of call.
enum Responses {
    Json(JsonResponses),
    Proto(CallResponses),
}

enum Event {
    Headers(HeaderMap),
    Json(String),
    Proto(Bytes),
    End(Status),
}

/// Why a message of the input was not sent.
enum NotSent {
    /// It is no message; the text says why.
    Wrong(String),
    /// The call is over.
    Ended,
}

/// The exit code where nobody reads the messages, as a shell has it for a process that `SIGPIPE` has ended.
const NO_READER: u8 = 128 + 13;

/// Calls, shows what comes, and returns the exit code: the number of the call's status, unless messages were lost on the
/// way to stdout.
///
/// # Errors
///
/// Why the call was not even tried.
pub async fn call(arguments: CallArguments) -> Result<ExitCode, CallError> {
    let client = client(&arguments)?;
    let options = options(&arguments)?;
    let input = Input::open(&arguments)?;
    let output = Output::new(&arguments);
    let interrupts = Interrupts::watch().map_err(CallError::Signals)?;
    if input.interactive {
        super::output::hint(arguments.proto_mode);
    }
    let (requests, responses) = if arguments.proto_mode {
        let (requests, responses) = client.call(&arguments.method, options).split();
        (Requests::Proto(requests), Responses::Proto(responses))
    } else {
        let (requests, responses) = client.json_call(&arguments.method, options).split();
        (Requests::Json(requests), Responses::Json(responses))
    };
    Ok(Running::start(requests, input, output, interrupts).run(responses).await)
}

fn client(arguments: &CallArguments) -> Result<Client, CallError> {
    let read = |path: &Path| {
        fs::read(path).map_err(|error| CallError::Usage(format!("cannot read {}: {error}", path.display())))
    };
    let mut tls = TlsOptions::default();
    if let Some(path) = &arguments.ca_certificate {
        tls = tls.ca_certificates(read(path)?);
    }
    if let (Some(certificate), Some(key)) = (&arguments.certificate, &arguments.key) {
        tls = tls.identity(read(certificate)?, read(key)?);
    }
    if let Some(name) = &arguments.server_name {
        tls = tls.server_name(name);
    }
    let version = if arguments.http2 { HttpVersion::Http2 } else { HttpVersion::Http1 };
    let options = ClientOptions::builder().tls(tls).http_version(version).max_message_size(MAX_RESPONSE);
    let options = options.build().map_err(|error| CallError::Usage(error.to_string()))?;
    Client::new(&arguments.url, options).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        CallError::Usage(format!("{error}{}", cause.unwrap_or_default()))
    })
}

fn options(arguments: &CallArguments) -> Result<CallOptions, CallError> {
    let mut options = CallOptions::default();
    options.timeout = arguments.timeout;
    for (name, value) in &arguments.headers {
        options =
            options.with(name, value).map_err(|status| CallError::Usage(status.message().to_owned()))?;
    }
    Ok(options)
}

/// Ctrl-C, and what a supervisor sends.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn watch() -> std::io::Result<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What is wrong with the input.
enum WrongInput {
    /// It has something that is no message; the text says where and why.
    Message(String),
    /// It has ended, and no message was sent. Some methods take that.
    Nothing,
}

/// A call, with the task that sends its messages.
struct Running {
    output: Output,
    interrupts: Interrupts,
    /// Cancels the call, by way of the task that has its requests.
    cancel: mpsc::Sender<()>,
    /// Tells what is wrong with the input.
    wrong_input: mpsc::Receiver<WrongInput>,
    cancelled: bool,
    /// Why messages cannot be shown any more.
    lost: Option<io::Error>,
}

impl Running {
    fn start(requests: Requests, input: Input, output: Output, interrupts: Interrupts) -> Self {
        let (cancel, cancelled) = mpsc::channel(1);
        let (sender, wrong_input) = mpsc::channel(1);
        tokio::spawn(send_all(requests, input, cancelled, sender));
        Self { output, interrupts, cancel, wrong_input, cancelled: false, lost: None }
    }

    async fn run(mut self, mut responses: Responses) -> ExitCode {
        let status = loop {
            tokio::select! {
                event = responses.next() => match event {
                    Some(Event::End(status)) => break status,
                    Some(event) => self.show(event),
                    None => break Status::new(Code::Internal, "the call has no end"),
                },
                () = self.interrupts.next() => {
                    if self.cancelled {
                        // Whoever asks twice does not want to wait for the gateway's last word.
                        return ExitCode::from(Code::Cancelled.number());
                    }
                    self.cancel();
                }
            }
        };
        let status = match self.wrong_input.try_recv() {
            // Input that is no message cancels the call, but the user is to read of the input.
            Ok(WrongInput::Message(reason)) if status.code() == Code::Cancelled => {
                Status::invalid_argument(reason)
            }
            // What the gateway misses is a message of the protocol, of which the user knows nothing.
            Ok(WrongInput::Nothing) if status.code() == Code::InvalidArgument => {
                let hint = "no message was given: -d '{}' sends an empty one";
                Status::invalid_argument(format!("{hint} ({})", status.message()))
            }
            _ => status,
        };
        // A call whose messages were lost is no success, whatever its status.
        match self.lost {
            None => {
                self.output.status(&status);
                ExitCode::from(status.code().number())
            }
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(NO_READER),
            Some(error) => {
                super::output::not_written(&error);
                ExitCode::from(NOT_WRITTEN)
            }
        }
    }

    fn show(&mut self, event: Event) {
        if self.lost.is_some() {
            return;
        }
        let shown = match event {
            Event::Headers(headers) => {
                self.output.headers(&headers);
                Ok(())
            }
            Event::Json(message) => self.output.json(&message),
            Event::Proto(message) => self.output.proto(&message),
            Event::End(_) => Ok(()),
        };
        if let Err(error) = shown {
            self.lost = Some(error);
            self.cancel();
        }
    }

    fn cancel(&mut self) {
        self.cancelled = true;
        // A full channel has the wish already; a closed one has a call that has ended.
        let _ = self.cancel.try_send(());
    }
}

/// Sends the messages of the input, then half-closes. It keeps the requests until the call is over, to cancel it.
async fn send_all(
    mut requests: Requests,
    mut input: Input,
    mut cancelled: mpsc::Receiver<()>,
    wrong_input: mpsc::Sender<WrongInput>,
) {
    tokio::select! {
        _ = cancelled.recv() => return requests.cancel(),
        sent = send_input(&mut requests, &mut input) => match sent {
            Ok(sent) => {
                // The reason is there before the end of the call is.
                if sent == 0 {
                    let _ = wrong_input.try_send(WrongInput::Nothing);
                }
                requests.half_close();
            }
            Err(reason) => {
                let _ = wrong_input.try_send(WrongInput::Message(reason));
                return requests.cancel();
            }
        },
    }
    if cancelled.recv().await.is_some() {
        requests.cancel();
    }
}

/// Sends all messages of the input, and counts them.
async fn send_input(requests: &mut Requests, input: &mut Input) -> Result<usize, String> {
    let mut sent = 0;
    while let Some(Message { source, piece }) = input.next().await? {
        let line = piece.line;
        sent += 1;
        match requests.send(piece).await {
            Ok(()) => {}
            Err(NotSent::Ended) => break,
            Err(NotSent::Wrong(reason)) if input.interactive => super::output::not_sent(&reason),
            Err(NotSent::Wrong(reason)) => return Err(format!("{source}: message at line {line}: {reason}")),
        }
    }
    Ok(sent)
}

// === impl Requests ===

impl Requests {
    async fn send(&mut self, piece: Piece) -> Result<(), NotSent> {
        match self {
            Self::Json(requests) => {
                let text =
                    String::from_utf8(piece.bytes).map_err(|_| NotSent::Wrong("it is not UTF-8".into()))?;
                requests.send(&text).await.map_err(|status| match status.code() {
                    Code::InvalidArgument => NotSent::Wrong(status.message().to_owned()),
                    _ => NotSent::Ended,
                })
            }
            Self::Proto(requests) => {
                let message = decode(piece.bytes.trim_ascii())?;
                requests.send(message).await.map_err(|_| NotSent::Ended)
            }
        }
    }

    fn half_close(&mut self) {
        match self {
            Self::Json(requests) => requests.half_close(),
            Self::Proto(requests) => requests.half_close(),
        }
    }

    fn cancel(&mut self) {
        match self {
            Self::Json(requests) => requests.cancel(),
            Self::Proto(requests) => requests.cancel(),
        }
    }
}

/// Base64 in any of its forms.
fn decode(text: &[u8]) -> Result<Vec<u8>, NotSent> {
    let alphabet = if text.iter().any(|byte| matches!(byte, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    let decoded = GeneralPurpose::new(alphabet, LENIENT).decode(text);
    decoded.map_err(|error| NotSent::Wrong(format!("it is not base64: {error}")))
}

// === impl Responses ===

impl Responses {
    async fn next(&mut self) -> Option<Event> {
        loop {
            return Some(match self {
                Self::Json(responses) => match responses.next().await? {
                    JsonEvent::Headers(headers) => Event::Headers(headers),
                    JsonEvent::Message(message) => Event::Json(message),
                    JsonEvent::End(status) => Event::End(status),
                    _ => continue,
                },
                Self::Proto(responses) => match responses.next().await? {
                    CallEvent::Headers(headers) => Event::Headers(headers),
                    CallEvent::Message(message) => Event::Proto(message),
                    CallEvent::End(status) => Event::End(status),
                    _ => continue,
                },
            });
        }
    }
}
