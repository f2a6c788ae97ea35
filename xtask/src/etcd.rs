//! etcd behind the gateway: the program from Debian, its `.proto` files from its Go module.

use std::fs;
use std::path::{Path, PathBuf};

use crate::context::{Context, Failure};
use crate::install::{debian, on_path};
use crate::process::{output, run};
use crate::suites::{built, count};

/// The modules whose folders have the `.proto` files, as tests/etcd/go.mod pins them: what each is imported as, and the
/// folder in it.
const MODULES: [(&str, &str, &str); 2] =
    [("go.etcd.io/etcd/api/v3", "etcd/api", ""), ("github.com/gogo/protobuf", "gogoproto", "gogoproto")];

/// Installs etcd, and puts its `.proto` files and what they import into one folder.
pub(crate) fn install(context: &Context) -> Result<(), Failure> {
    debian(context, &[("etcd", "etcd-server"), ("openssl", "openssl")])?;
    if !on_path("go") {
        return Err(Failure::new("Go is needed").remedy("install Go 1.21 or later"));
    }
    let module = context.root.join("tests/etcd");
    for (name, import, inside) in MODULES {
        run(context.command("go", &["mod", "download", name]).current_dir(&module))?;
        let mut list = context.command("go", &["list", "-m", "-f", "{{.Dir}}", name]);
        let folder = output(list.current_dir(&module)).map(|text| PathBuf::from(text.trim()));
        let folder = folder.filter(|folder| folder.is_dir());
        let folder = folder.ok_or_else(|| Failure::new(format!("{name} is not there")))?;
        link(&folder.join(inside), &protos(context).join(import))?;
    }
    Ok(())
}

/// Runs the suite.
pub(crate) fn etcd(context: &Context) -> Result<usize, Failure> {
    let mut command = context.command("node", &["tests/node/etcd.mjs"]);
    command.arg(built(context, "grpcws")?).arg(protos(context));
    count(&mut command, "tests/node/etcd.mjs")
}

fn protos(context: &Context) -> PathBuf {
    context.tools().join("etcd")
}

/// Makes a symbolic link, in the place of the one that may be there.
fn link(target: &Path, path: &Path) -> Result<(), Failure> {
    let made = || {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        if path.is_symlink() {
            fs::remove_file(path)?;
        }
        std::os::unix::fs::symlink(target, path)
    };
    made().map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
