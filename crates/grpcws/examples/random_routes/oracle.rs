//! gRPC-Gateway's generated code for the rules, as a process.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use prost::Message as _;
use serde::Deserialize;
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

/// What the plugins get: `google.protobuf.compiler.CodeGeneratorRequest`, with the descriptors as they are, since their
/// options have extensions.
#[derive(Clone, PartialEq, prost::Message)]
struct GeneratorRequest {
    #[prost(string, repeated, tag = "1")]
    file_to_generate: Vec<String>,
    #[prost(string, tag = "2")]
    parameter: String,
    #[prost(bytes = "vec", repeated, tag = "15")]
    proto_file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GeneratorResponse {
    #[prost(string, optional, tag = "1")]
    error: Option<String>,
    #[prost(message, repeated, tag = "15")]
    file: Vec<GeneratedFile>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GeneratedFile {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "15")]
    content: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// What the oracle says of a request.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) method: Option<String>,
    /// Base64.
    #[serde(default)]
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
}

pub(crate) struct Oracle {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Oracle {
    /// Generates the code of a descriptor set in a folder, builds it with the modules that `module` pins, and starts it.
    pub(crate) fn start(module: &Path, work: &Path, descriptor_set: &[u8]) -> Result<Self, Failure> {
        let plugins = work.join("bin");
        // The slash makes it a folder.
        let out = format!("{}/", plugins.display());
        succeeds(Command::new("go").current_dir(module).args(["build", "-o", &out, "tool"]))?;
        let folder = work.join("oracle");
        let rules = folder.join("rules");
        // Of another run.
        let _ = fs::remove_dir_all(&rules);
        fs::create_dir_all(&rules)?;
        for file in ["go.mod", "go.sum", "main.go"] {
            fs::copy(module.join(file), folder.join(file))?;
        }
        for (plugin, parameter) in [
            ("protoc-gen-go", ""),
            ("protoc-gen-go-grpc", ""),
            // The fields of a PATCH are then as they are sent; and rules that have none of the body are wanted.
            ("protoc-gen-grpc-gateway", ",allow_patch_feature=false"),
        ] {
            generate(&plugins.join(plugin), parameter, descriptor_set, &rules)?;
        }
        succeeds(
            Command::new("go").current_dir(&folder).args(["build", "-tags", "oracle", "-o", "oracle", "."]),
        )?;
        let mut child = Command::new(folder.join("oracle"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // gRPC logs each parameter that no field has.
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = child.stdin.take().ok_or("it has no stdin")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("it has no stdout")?);
        Ok(Self { child, stdin, stdout })
    }

    pub(crate) fn ask(&mut self, verb: &str, target: &str, body: Option<&str>) -> Result<Answer, Failure> {
        writeln!(self.stdin, "{}", json!({"verb": verb, "target": target, "body": body}))?;
        self.stdin.flush()?;
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err("the oracle has ended".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a plugin as protoc does, and writes what it makes.
fn generate(plugin: &PathBuf, parameter: &str, descriptor_set: &[u8], folder: &Path) -> Result<(), Failure> {
    let annotations = "google.golang.org/genproto/googleapis/api/annotations";
    let request = GeneratorRequest {
        file_to_generate: vec!["rules.proto".to_owned()],
        parameter: format!(
            "paths=source_relative,Mgoogle/api/annotations.proto={annotations},Mgoogle/api/http.proto={annotations}{parameter}"
        ),
        proto_file: RawSet::decode(descriptor_set)?.file,
    };
    let mut child =
        Command::new(plugin).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut stdin = child.stdin.take().ok_or("it has no stdin")?;
    stdin.write_all(&request.encode_to_vec())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let response = GeneratorResponse::decode(&*output.stdout)?;
    if let Some(error) = response.error {
        return Err(format!("{}: {error}", plugin.display()).into());
    }
    if !output.status.success() || response.file.is_empty() {
        return Err(format!("{} made nothing", plugin.display()).into());
    }
    for file in response.file {
        fs::write(folder.join(file.name), file.content)?;
    }
    Ok(())
}

fn succeeds(command: &mut Command) -> Result<(), Failure> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}
