//! An environment with the runtime, for a machine without accelerator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::descriptor::descriptor;
use super::process::Installation;
use crate::allocator::Machine;

/// The stand-in for the compiler of kernels.
const STAND_IN: &str = include_str!("../../runtime/standin.py");

/// The version of the wheel that the known divergences were seen with.
pub const VERSION: &str = "0.81.1";

/// The versions of Python that the wheel is made for.
const PYTHONS: [&str; 2] = ["3.12", "3.10"];

/// Why there is no environment.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There is no interpreter that the wheel is made for.
    #[error(
        "no Python 3.12 or 3.10 is on PATH or under pyenv: the ttnn wheel is made for these two; \
         install one, or drive another ttnn with `freeorder conform --python P`"
    )]
    NoPython,
    /// A command failed.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// The command.
        command: String,
        /// The last thing it said.
        said: String,
    },
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Makes the environment, or completes it; `say` hears what is done.
///
/// # Errors
/// If there is no suitable Python, a command fails, or a file cannot be written.
pub fn set_up(
    folder: &Path,
    version: &str,
    say: &mut dyn FnMut(&str),
) -> Result<Installation, SetupError> {
    let python_of = |folder: &Path| folder.join("venv").join("bin").join("python");
    // Looked for first: without one nothing is made.
    let system = match installed(&python_of(folder), "sys") {
        Some(_) => None,
        None => Some(find_python().ok_or(SetupError::NoPython)?),
    };
    make_folder(folder)?;
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let python = python_of(&folder);
    if let Some(system) = system {
        say(&format!("virtual environment: made with {}", system.display()));
        run(Command::new(system).args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
    } else {
        say(&format!("virtual environment: {} is there", folder.join("venv").display()));
    }
    let found = installed(&python, "ttnn");
    if found.as_deref() == Some(version) {
        say(&format!("ttnn {version}: is there"));
    } else {
        say(&format!("ttnn {version}: installed with pip"));
        let wanted = format!("ttnn=={version}");
        let mut pip = Command::new(&python);
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(pip.args(quiet).arg(wanted))?;
    }
    let installation = Installation { python, home: folder.clone() };
    write_around(&installation, say)?;
    place_stand_in(&installation, say)?;
    Ok(installation)
}

/// Writes the descriptors and a script that runs one of its own under them.
///
/// # Errors
/// If a file cannot be written.
pub fn write_around(
    installation: &Installation,
    say: &mut dyn FnMut(&str),
) -> Result<(), SetupError> {
    let home = &installation.home;
    make_folder(&home.join("descriptors"))?;
    make_folder(&home.join("cache"))?;
    for machine in Machine::ALL {
        write(&installation.descriptor(machine), &descriptor(machine))?;
    }
    let script = format!(
        "#!/bin/sh\n# run.sh MACHINE SCRIPT: runs a script on a machine without hardware.\n\
         here=$(dirname \"$(readlink -f \"$0\")\")\nmachine=$1\n\
         script=$(readlink -f \"$2\")\nshift 2\n\
         export TT_METAL_MOCK_CLUSTER_DESC_PATH=\"$here/descriptors/$machine.yaml\"\n\
         export TT_METAL_SLOW_DISPATCH_MODE=1 TT_METAL_CACHE=\"$here/cache\"\n\
         export TT_METAL_LOGGER_LEVEL=fatal LOGURU_LEVEL=ERROR TT_METAL_DISABLE_BACKTRACE=1\n\
         export OMPI_MCA_btl=self\n\
         # The runtime writes a folder `generated` wherever it runs.\n\
         cd \"$here\" && exec '{}' \"$script\" \"$@\"\n",
        installation.python.display()
    );
    write(&home.join("run.sh"), &script)?;
    make_executable(&home.join("run.sh"))?;
    say(&format!("descriptors: {}", Machine::ALL.map(Machine::name).join(", ")));
    Ok(())
}

/// The compiler that the package would fetch on first use: no kernel runs, so a stand-in does.
fn place_stand_in(
    installation: &Installation,
    say: &mut dyn FnMut(&str),
) -> Result<(), SetupError> {
    let place = "import sysconfig; print(sysconfig.get_paths()['purelib'])";
    let packages = run(Command::new(&installation.python).args(["-c", place]))?;
    let folder = Path::new(packages.trim()).join("ttnn/runtime/sfpi/compiler/bin");
    let file = folder.join("riscv-tt-elf-g++");
    let text = format!("#!{} -ISE\n{STAND_IN}", installation.python.display());
    if fs::read_to_string(&file).is_ok_and(|found| found == text) {
        say("stand-in for the kernels' compiler: is there");
        return Ok(());
    }
    make_folder(&folder)?;
    write(&file, &text)?;
    make_executable(&file)?;
    // What another compiler made is of no use any more.
    let cache = installation.home.join("cache");
    fs::remove_dir_all(&cache)
        .map_err(|source| SetupError::File { path: cache.clone(), source })?;
    make_folder(&cache)?;
    say("stand-in for the kernels' compiler: written, and its cache emptied");
    Ok(())
}

/// The version of a package; the interpreter's own for `sys`.
fn installed(python: &Path, package: &str) -> Option<String> {
    let code = match package {
        "sys" => "import sys; print(sys.version.split()[0])".to_owned(),
        _ => format!("from importlib.metadata import version; print(version('{package}'))"),
    };
    run(Command::new(python).args(["-c", &code])).ok().map(|text| text.trim().to_owned())
}

/// The first interpreter that the wheel is made for.
fn find_python() -> Option<PathBuf> {
    let on_path = PYTHONS.map(|version| PathBuf::from(format!("python{version}")));
    on_path.into_iter().chain(under_pyenv()).find(|python| {
        // A shim of pyenv may be there and still run nothing.
        let version = installed(python, "sys").unwrap_or_default();
        PYTHONS.iter().any(|wanted| version.starts_with(&format!("{wanted}.")))
    })
}

fn under_pyenv() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let folders = root.into_iter().chain(home).map(|root| root.join("versions"));
    let mut found = Vec::new();
    for version in folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
        found.push(version.path().join("bin").join("python"));
    }
    found.sort();
    found.reverse();
    found
}

/// What a command says on its standard output.
fn run(command: &mut Command) -> Result<String, SetupError> {
    let told = || {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    let name = told();
    let failed = |said: String| SetupError::Failed { command: name.clone(), said };
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(failed(last.to_owned()))
}

fn make_folder(path: &Path) -> Result<(), SetupError> {
    fs::create_dir_all(path).map_err(|source| SetupError::File { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), SetupError> {
    fs::write(path, text).map_err(|source| SetupError::File { path: path.to_owned(), source })
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<(), SetupError> {
    use std::os::unix::fs::PermissionsExt;
    let all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, all)
        .map_err(|source| SetupError::File { path: path.to_owned(), source })
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<(), SetupError> {
    Ok(())
}
