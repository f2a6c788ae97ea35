//! Random rules of `google.api.http` and random requests, beside gRPC-Gateway: what the upstream gets is the same, or differs
//! in a way that docs/routes.md names.
//!
//! ```console
//! cargo run -p grpcws --example random_routes -- MODULE WORK [CASES] [SEED]
//! ```
//!
//! `MODULE` is tests/routes, `WORK` a folder for what is built. It needs Go. What is drawn follows from the seed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it reports to who runs it")]

mod difference;
mod json;
mod oracle;
mod request;
mod schema;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use difference::{Difference, Shows};
use fastrand::Rng;
use grpcws::json::{FieldKind, MarshalOptions, Message, UnmarshalOptions};
use grpcws::routes::RouteMatch;
use grpcws::services::Services;
use oracle::{Answer, Oracle};
use request::Request;
use schema::{Rule, Schema};

/// Rules of one schema, which is compiled once.
const RULES: usize = 250;
/// Requests of one rule.
const REQUESTS: usize = 10;
/// Failures that are shown.
const SHOWN: usize = 10;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, work, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: random_routes MODULE WORK [CASES] [SEED]");
        return ExitCode::from(64);
    };
    let number = |index: usize| rest.get(index).and_then(|text| text.parse().ok());
    let cases = number(0).unwrap_or(1000);
    let seed = number(1).unwrap_or_else(|| fastrand::u64(..1 << 32));
    let (module, work) = (Path::new(module), Path::new(work));
    println!(
        "{cases} cases; the same again: random_routes {} {} {cases} {seed}",
        module.display(),
        work.display()
    );
    let mut report = Report::default();
    let folders =
        std::fs::create_dir_all(work).and_then(|()| Ok((module.canonicalize()?, work.canonicalize()?)));
    let result =
        folders.map_err(Into::into).and_then(|(module, work)| run(&module, &work, cases, seed, &mut report));
    report.print();
    match result {
        Ok(()) if report.failed == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("random_routes: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(module: &Path, work: &Path, cases: u64, seed: u64, report: &mut Report) -> Result<(), Failure> {
    let mut rng = Rng::with_seed(seed);
    let mut left = usize::try_from(cases)?;
    while left > 0 {
        let rules = RULES.min(left.div_ceil(REQUESTS));
        let schema = Schema::random(&mut rng, rules);
        let set = compiled(work, &schema.proto)?;
        let services = Services::from_file_descriptor_set(&set)?;
        if let Some(problem) = services.routes().problems().first() {
            return Err(format!("gRPC-Gateway takes all of these rules, and here {problem}").into());
        }
        let mut oracle = Oracle::start(module, work, &set)?;
        for (index, rule) in schema.rules.iter().enumerate() {
            for _ in 0..REQUESTS.min(left) {
                left -= 1;
                let request = Request::random(&mut rng, &schema, rule);
                let compared = compare(&services, &mut oracle, rule, &request)?;
                if compared.is_failure(&request) {
                    let smaller = shrunk(&services, &mut oracle, rule, request)?;
                    let compared = compare(&services, &mut oracle, rule, &smaller)?;
                    report.fail(index, rule, &smaller, &compared);
                } else {
                    report.pass(&compared, &request);
                }
            }
        }
    }
    Ok(())
}

fn compiled(work: &Path, proto: &str) -> Result<Vec<u8>, Failure> {
    std::fs::write(work.join("rules.proto"), proto)?;
    let google = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    let mut compiler = protox::Compiler::new([work, Path::new(google)])?;
    compiler.include_imports(true).open_file("rules.proto")?;
    Ok(compiler.encode_file_descriptor_set())
}

/// A call: the path of the method, and its request as JSON. Or why there is none.
type Outcome = Result<(String, serde_json::Value), String>;

struct Compared {
    ours: Outcome,
    theirs: Outcome,
}

impl Compared {
    fn is_equal(&self) -> bool {
        match (&self.ours, &self.theirs) {
            (Ok(ours), Ok(theirs)) => ours == theirs,
            (Err(_), Err(_)) => true,
            _ => false,
        }
    }

    /// The difference that explains why they are not equal.
    fn explained(&self, request: &Request) -> Option<Difference> {
        let shows = |difference: &Difference| match (&self.ours, &self.theirs) {
            (Ok(_), Err(_)) => matches!(difference.shows(), Shows::OnlyOurs | Shows::OneOfThem | Shows::Any),
            (Err(_), Ok(_)) => {
                matches!(difference.shows(), Shows::OnlyTheirs | Shows::OneOfThem | Shows::Any)
            }
            (Ok((ours, _)), Ok((theirs, _))) => {
                ours == theirs && matches!(difference.shows(), Shows::BothBoundDifferently | Shows::Any)
            }
            (Err(_), Err(_)) => false,
        };
        request.differences.iter().copied().find(shows)
    }

    fn is_failure(&self, request: &Request) -> bool {
        !self.is_equal() && self.explained(request).is_none()
    }
}

fn compare(
    services: &Services,
    oracle: &mut Oracle,
    rule: &Rule,
    request: &Request,
) -> Result<Compared, Failure> {
    let answer = oracle.ask(rule.verb, &request.target(), request.body.as_deref())?;
    Ok(Compared { ours: ours(services, rule, request), theirs: theirs(services, answer)? })
}

fn ours(services: &Services, rule: &Rule, request: &Request) -> Outcome {
    let query = format!("method={}&{}", rule.verb, request.query());
    let text = |status: grpcws::Status| status.message().to_owned();
    let route = services.routes().choose(&request.path, Some(&query)).ok_or("no route")?.map_err(text)?;
    let (bound, _) = route.bind_known(Some(&query)).map_err(text)?;
    let message = match &request.body {
        Some(body) if !route.is_complete() => {
            let mut payload = Vec::new();
            read_body(&route, body, &mut payload).map_err(|error| error.to_string())?;
            bound.merge(payload.into()).map_err(text)?
        }
        _ => bound.message(),
    };
    let json = as_json(route.method().request(), &message).map_err(|error| error.to_string())?;
    Ok((route.method().path().to_owned(), json))
}

fn read_body(route: &RouteMatch<'_>, body: &str, out: &mut Vec<u8>) -> Result<(), Failure> {
    let options = UnmarshalOptions::default();
    match route.body() {
        Some(field) if field.is_repeated() || !matches!(field.kind(), FieldKind::Message(_)) => {
            field.from_json_in(body.as_bytes(), 0..body.len(), &options, out)?;
        }
        _ => route.payload().from_json(body.as_bytes(), &options, out)?,
    }
    Ok(())
}

fn theirs(services: &Services, answer: Answer) -> Result<Outcome, Failure> {
    let Some(path) = answer.method else {
        return Ok(Err(format!("{} {}", answer.status.unwrap_or(0), answer.error.unwrap_or_default())));
    };
    let (service, name) = path.trim_start_matches('/').split_once('/').ok_or("no path of a method")?;
    let method = services.method(service, name).ok_or("no method")?;
    let message = BASE64_STANDARD.decode(answer.message)?;
    Ok(as_json(method.request(), &message).map(|json| (path, json)).map_err(|error| error.to_string()))
}

fn as_json(message: &Message, wire: &[u8]) -> Result<serde_json::Value, Failure> {
    let mut json = Vec::new();
    message.to_json(wire, &MarshalOptions::default(), &mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

/// The request without the parameters that the failure does not need.
fn shrunk(
    services: &Services,
    oracle: &mut Oracle,
    rule: &Rule,
    mut request: Request,
) -> Result<Request, Failure> {
    let mut index = 0;
    while index < request.parameters.len() {
        let mut smaller = request.clone();
        smaller.parameters.remove(index);
        if compare(services, oracle, rule, &smaller)?.is_failure(&smaller) {
            request = smaller;
        } else {
            index += 1;
        }
    }
    Ok(request)
}

#[derive(Default)]
struct Report {
    equal_calls: usize,
    equal_refusals: usize,
    differences: BTreeMap<Difference, usize>,
    failed: usize,
}

impl Report {
    fn pass(&mut self, compared: &Compared, request: &Request) {
        match compared.explained(request).filter(|_| !compared.is_equal()) {
            Some(difference) => *self.differences.entry(difference).or_default() += 1,
            None if compared.ours.is_ok() => self.equal_calls += 1,
            None => self.equal_refusals += 1,
        }
    }

    fn fail(&mut self, index: usize, rule: &Rule, request: &Request, compared: &Compared) {
        self.failed += 1;
        if self.failed > SHOWN {
            return;
        }
        let shown = |outcome: &Outcome| match outcome {
            Ok((method, message)) => format!("{method} {message}"),
            Err(error) => format!("refused: {}", error.trim()),
        };
        println!("FAIL rule R{index} of M{}: {}", rule.request, rule.text());
        println!("  request: {} {}", rule.verb, request.target());
        println!("  body: {}", request.body.as_deref().unwrap_or("none"));
        println!("  here: {}", shown(&compared.ours));
        println!("  gRPC-Gateway: {}", shown(&compared.theirs));
    }

    fn print(&self) {
        println!("{} calls and {} refusals are the same", self.equal_calls, self.equal_refusals);
        for (difference, count) in &self.differences {
            println!("{count} differ by {difference:?}");
        }
        let differences: usize = self.differences.values().sum();
        let passed = self.equal_calls + self.equal_refusals + differences;
        println!("{passed} passed, {} failed", self.failed);
    }
}
