//! The client under test for connectrpc/conformance: each call goes through a WebSocket and a gateway.
//!
//! The runner writes requests to the standard input and reads results from the standard output, each with its length
//! in front; `cargo xtask test --only conformance` starts both.
#![allow(clippy::print_stderr, reason = "the runner shows it")]

mod call;
mod gateways;
mod invoke;
mod messages;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use grpcws::services::Services;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::call::{AnyCall, Mode};
use crate::gateways::{Destination, Gateways};
use crate::messages::{
    ClientCompatRequest, ClientCompatResponse, ClientErrorResult, ClientResponseResult, Compression, Outcome,
};

/// The calls at one time. Cases with deadlines need some slack even on two cores.
const PARALLEL: u32 = 16;

/// No request of the runner is near that.
const MAX_REQUEST: usize = 64 * 1024 * 1024;

/// A client under test for connectrpc/conformance.
#[derive(Parser)]
struct Arguments {
    /// How messages travel over the WebSocket.
    #[arg(long)]
    mode: Mode,
    /// The folder of the suite's protos.
    #[arg(long)]
    protos: PathBuf,
}

/// The call cannot be made, or its result cannot be told.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the request is {0} bytes long")]
    TooLong(usize),
    #[error("malformed protobuf")]
    Decode(#[from] prost::DecodeError),
    #[error("malformed JSON")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Proto(#[from] protox::Error),
    #[error(transparent)]
    Descriptor(#[from] prost_reflect::DescriptorError),
    #[error(transparent)]
    Services(#[from] grpcws::services::ServicesError),
    #[error(transparent)]
    Upstream(#[from] grpcws_upstream::UpstreamError),
    #[error(transparent)]
    Client(#[from] grpcws_client::ClientError),
    #[error("a header's name cannot be sent")]
    Name(#[from] http::header::InvalidHeaderName),
    #[error("a header's value cannot be sent")]
    Value(#[from] http::header::InvalidHeaderValue),
    #[error("{0} is not in the descriptors")]
    UnknownMethod(String),
    #[error("the call was over without an end")]
    NoEnd,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Makes every call that the runner asks for.
fn run(arguments: &Arguments) -> Result<(), Error> {
    // Its messages may contain descriptors, so the descriptor of those is needed as well.
    let files = ["connectrpc/conformance/v1/service.proto", "google/protobuf/descriptor.proto"];
    let descriptors = protox::compile(files, [&arguments.protos])?.encode_to_vec();
    let pool = DescriptorPool::decode(descriptors.as_slice())?;
    let mut gateways = Gateways::new(Services::from_file_descriptor_set(&descriptors)?);
    let runtime = Runtime::new()?;
    let _entered = runtime.enter();
    let permits = Arc::new(Semaphore::new(PARALLEL as usize));
    let mut input = io::stdin().lock();
    while let Some(request) = read(&mut input)? {
        let Ok(permit) = runtime.block_on(Arc::clone(&permits).acquire_owned()) else {
            break;
        };
        let test_name = request.test_name.clone();
        let started = start(&mut gateways, arguments.mode, &pool, request);
        runtime.spawn(async move {
            let outcome = match started {
                Ok(calling) => calling.await,
                Err(error) => Err(error),
            };
            write(test_name, outcome);
            drop(permit);
        });
    }
    // All permits are there when all calls are over.
    drop(runtime.block_on(permits.acquire_many(PARALLEL)));
    Ok(())
}

fn start(
    gateways: &mut Gateways,
    mode: Mode,
    pool: &DescriptorPool,
    request: ClientCompatRequest,
) -> Result<impl Future<Output = Result<ClientResponseResult, Error>> + use<>, Error> {
    let gzip = request.compression() == Compression::Gzip;
    let client = gateways.client(Destination { host: request.host.clone(), port: request.port, gzip })?;
    let call = AnyCall::start(&client, mode, pool, &request, invoke::options(&request)?)?;
    Ok(invoke::invoke(request, call))
}

/// The next request, or `None` at their end.
fn read(input: &mut impl io::Read) -> Result<Option<ClientCompatRequest>, Error> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_REQUEST {
        return Err(Error::TooLong(length));
    }
    let mut message = vec![0; length];
    input.read_exact(&mut message)?;
    Ok(Some(ClientCompatRequest::decode(message.as_slice())?))
}

/// Writes a result in one piece. A runner that no longer reads has ended the run.
fn write(test_name: String, outcome: Result<ClientResponseResult, Error>) {
    let outcome = match outcome {
        Ok(result) => Outcome::Response(result),
        Err(error) => Outcome::Error(ClientErrorResult { message: chain(&error) }),
    };
    let message = ClientCompatResponse { test_name, outcome: Some(outcome) }.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut output = io::stdout().lock();
    let _ = output.write_all(&[&length[..], &message].concat()).and_then(|()| output.flush());
}

/// An error with its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
