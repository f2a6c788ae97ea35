//! What a gateway takes for descriptors of `googleapis`' size, and for sets that are made to be dear.
//!
//! ```console
//! cargo build --release -p grpcws-gateway
//! cargo run --release -p grpcws-gateway --example descriptors -- target/release/grpcws
//! ```
//!
//! prints a row for each way to give descriptors: the time until the gateway listens and has them, the memory of the
//! process 20 s later, its peak, and both after it was told to read everything anew.
#![expect(clippy::print_stdout, reason = "the rows are for whoever runs it")]

mod generate;
mod measure;

use std::error::Error;
use std::path::{Path, PathBuf};

use generate::{Shape, hostile, permitted, protos, set};
use grpcws_gateway::descriptors::DescriptorOptions;
use measure::{Row, gateway, reflection};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let binary = PathBuf::from(arguments.next().ok_or("give the path of grpcws")?);
    let files = arguments.next().map_or(Ok(Shape::default().files), |files| files.parse())?;
    let shape = Shape { files, ..Shape::default() };
    let folder = std::env::temp_dir().join(format!("grpcws-descriptors-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = run(&binary, &shape, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    result
}

async fn run(binary: &Path, shape: &Shape, folder: &Path) -> Result<(), Box<dyn Error>> {
    let set = set(shape);
    println!("{} files, {} bytes", shape.files, set.len());
    println!("{}", Row::HEAD);
    let path = folder.join("set.binpb");
    std::fs::write(&path, &set)?;
    let text = |path: &Path| path.display().to_string();
    let unused = "http://127.0.0.1:1".to_owned();
    let from_set = ["--upstream", &unused, "--descriptor-set", &text(&path)];
    println!("{}", gateway(binary, "--descriptor-set", &from_set, true).await?);

    let address = reflection(set).await?;
    let from_server = ["--upstream", &format!("http://{address}")];
    println!("{}", gateway(binary, "reflection", &from_server, true).await?);

    let names = protos(shape, folder)?;
    let mut from_protos = vec!["--upstream".to_owned(), unused.clone(), "-I".to_owned(), text(folder)];
    from_protos.extend(names.into_iter().flat_map(|name| ["--proto".to_owned(), name]));
    let from_protos: Vec<&str> = from_protos.iter().map(String::as_str).collect();
    println!("{}", gateway(binary, "--proto", &from_protos, false).await?);

    // Less what the files have besides.
    let permitted = permitted(DescriptorOptions::default().max_declarations - 5);
    for (name, bytes) in hostile(10_000_000).into_iter().chain(permitted) {
        let path = folder.join("hostile.binpb");
        std::fs::write(&path, &bytes)?;
        let arguments = ["--upstream", &unused, "--descriptor-set", &text(&path)];
        println!("{}", gateway(binary, name, &arguments, false).await?);
    }
    Ok(())
}
