//! From the command line to an exit code.

use std::error::Error;
use std::ffi::OsString;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use domicile_crds::{Scheduling, Verdict, yaml};

use crate::args::{Cli, Command, FileFormat, ImportFrom, WrapArgs};
use crate::decide::{self, Act};
use crate::wrap::{self, Input};
use crate::{
    admit, adopt, answer, completion, explain, import, join, leave, map, output, plan, status, switch,
};

/// The exit code of an error.
const FAILED: u8 = 1;
/// The exit code of a wrong command line.
const USAGE: u8 = 2;
/// The exit code of `plan` when something would happen.
pub const CHANGES: u8 = 2;
/// The exit code of `status --stuck` when something is.
pub const STUCK: u8 = 3;

/// What a command has to say, and whether it is good.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For stdout.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

impl From<String> for Outcome {
    fn from(text: String) -> Self {
        Self { text, code: 0 }
    }
}

/// Runs the program.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let is_plan = args.iter().any(|arg| arg == "plan");
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout, errors to stderr; if neither can be written, nobody reads.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A program that asks `plan` must not take its own slip for an answer.
            let usage = if is_plan { FAILED } else { USAGE };
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(usage) };
        }
    };
    // Only fails if a provider was chosen already, and there is no other in this program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let rights = rights(&cli.command);
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Box::from)
        .and_then(|runtime| runtime.block_on(dispatch(cli)))
        .and_then(|outcome| output::result(&outcome.text).map(|()| outcome.code).map_err(Box::from));
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::error(&*error);
            if let Some(rights) = rights.filter(|_| output::is_forbidden(&*error)) {
                output::note(format!("  {rights}"));
            }
            ExitCode::from(FAILED)
        }
    }
}

/// What a command takes, for whom a cluster refuses it.
fn rights(command: &Command) -> Option<&'static str> {
    match command {
        Command::Approve(_)
        | Command::Freeze(_)
        | Command::Suspend(_)
        | Command::Revoke(_)
        | Command::Reinstate(_) => {
            Some("whoever decides needs the role domicile:compliance-officer on the hub: see docs/operate.md")
        }
        Command::Adopt(_) => Some(
            "whoever adopts needs the roles domicile:tenant in that namespace and domicile:auditor on the hub, and must administer the member: see docs/cli.md#adopt",
        ),
        Command::Join(_) | Command::Leave(_) => Some(
            "this takes the role domicile:platform-engineer and the right to write Secrets in the operator's namespace on the hub, and to administer the member: see docs/operate.md",
        ),
        Command::Cordon(_)
        | Command::Uncordon(_)
        | Command::Drain(_)
        | Command::Pause(_)
        | Command::Resume(_) => {
            Some("this takes the role domicile:platform-engineer on the hub: see docs/operate.md")
        }
        _ => None,
    }
}

async fn dispatch(cli: Cli) -> Result<Outcome, Box<dyn Error>> {
    let hub = &cli.hub;
    let text = match cli.command {
        Command::Wrap(args) => wrapped(args)?,
        Command::Import(args) => imported(&args.from)?,
        Command::Join(args) => join::run(&args, hub).await?,
        Command::Leave(args) => leave::run(&args, hub).await?,
        Command::Admit(args) => admit::run(&args, hub).await?,
        Command::Adopt(args) => adopt::run(&args, hub).await?,
        Command::Answer(args) => answer::run(&args, hub).await?,
        Command::Approve(args) => decide::run(&args, Act::Verdict(Verdict::Approved), hub).await?,
        Command::Freeze(args) => decide::run(&args, Act::Verdict(Verdict::Frozen), hub).await?,
        Command::Suspend(args) => decide::run(&args, Act::Verdict(Verdict::Suspended), hub).await?,
        Command::Revoke(args) => decide::run(&args, Act::Verdict(Verdict::Revoked), hub).await?,
        Command::Reinstate(args) => decide::run(&args, Act::Reinstate, hub).await?,
        Command::Cordon(args) => switch::schedule(&args.name, Scheduling::Cordoned, hub).await?,
        Command::Uncordon(args) => switch::schedule(&args.name, Scheduling::Open, hub).await?,
        Command::Drain(args) => switch::schedule(&args.name, Scheduling::Draining, hub).await?,
        Command::Pause(args) => switch::pause(args.relocation.as_ref(), true, hub).await?,
        Command::Resume(args) => switch::pause(args.relocation.as_ref(), false, hub).await?,
        Command::Status(args) => return Ok(status::run(&args, hub).await?),
        Command::Map(args) => map::run(&args, hub).await?,
        Command::Explain(args) => explain::run(&args, hub).await?,
        Command::Plan(args) => return Ok(plan::run(&args, hub).await?),
        Command::Completion(args) => completion::script(args.shell),
        Command::Complete(args) => completion::candidates(&args.words),
    };
    Ok(text.into())
}

fn wrapped(args: WrapArgs) -> Result<String, Box<dyn Error>> {
    let inputs = inputs(&args.files)?;
    let options = wrap::Options {
        name: args.name,
        namespace: args.namespace,
        clusters: args.clusters,
        spread_by: args.spread_by.map(Into::into),
        overlap: args.overlap.map(Into::into),
        secrets: args.secrets.into(),
        adopt: None,
        drop_hooks: args.drop_hooks,
        skip: args.skip,
    };
    let wrapped = wrap::wrap(&inputs, &options)?;
    for note in &wrapped.notes {
        output::note(format!("note: {note}"));
    }
    output::note(wrapped.summary());
    Ok(match (args.output, wrapped.documents.as_slice()) {
        (FileFormat::Yaml, documents) => yaml::stream(documents),
        (FileFormat::Json, [one]) => serde_json::to_string_pretty(one)? + "\n",
        (FileFormat::Json, several) => {
            let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": several});
            serde_json::to_string_pretty(&list)? + "\n"
        }
    })
}

fn imported(from: &ImportFrom) -> Result<String, import::ImportError> {
    let imported = match from {
        ImportFrom::Bods(args) => {
            let inputs = args.files.iter().map(import::Input::read).collect::<Result<Vec<_>, _>>()?;
            import::bods(&inputs)?
        }
        ImportFrom::Gleif(args) => import::gleif(&args.files, &args.lei)?,
    };
    for note in &imported.notes {
        output::note(note);
    }
    output::note("review every DOUBT, then apply with: kubectl apply --server-side -f FILE");
    Ok(imported.text)
}

fn inputs(files: &[PathBuf]) -> Result<Vec<Input>, Box<dyn Error>> {
    if files.is_empty() && std::io::stdin().is_terminal() {
        return Err("nothing to wrap: name files, or pipe manifests in, for example `helm template ... | kubectl domicile wrap ...`".into());
    }
    let stdin = [PathBuf::from("-")];
    let files = if files.is_empty() { &stdin[..] } else { files };
    files.iter().map(|file| input(file)).collect()
}

fn input(file: &Path) -> Result<Input, Box<dyn Error>> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text)?;
        return Ok(Input { name: "stdin".to_owned(), text });
    }
    let name = file.display().to_string();
    if file.is_dir() {
        return Err(format!(
            "{name} is a directory: name the files in it, or render it first: kubectl kustomize {name} | kubectl domicile wrap ..."
        )
        .into());
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Input { name, text }),
        Err(error) => Err(format!("can't read {name}: {error}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_a_right_is_told_which_role_has_it() {
        let refused = |message: &str, code: u16| {
            let status = kube::core::Status::failure(message, "Forbidden").with_code(code).boxed();
            kube::Error::Api(status)
        };
        let lacks = "decisions.domicile.dev is forbidden: User \"bob\" cannot create resource \"decisions\"";
        assert!(output::is_forbidden(&refused(lacks, 403)));
        assert!(!output::is_forbidden(&refused(
            "ValidatingAdmissionPolicy 'domicile-decisions' denied request",
            403
        )));
        assert!(!output::is_forbidden(&refused("decisions \"a\" already exists", 409)));
        let of = |words: &[&str]| {
            let cli = Cli::try_parse_from(["kubectl-domicile"].iter().chain(words)).unwrap();
            rights(&cli.command).unwrap_or_default()
        };
        assert!(
            of(&["freeze", "a", "--reason", "r", "--authority", "x"]).contains("domicile:compliance-officer")
        );
        assert!(of(&["drain", "a"]).contains("domicile:platform-engineer"));
        assert_eq!(of(&["status"]), "");
    }

    #[test]
    fn what_is_empty_is_no_reason() {
        for words in [["--reason", " ", "--authority", "x"], ["--reason", "r", "--authority", ""]] {
            let words = ["kubectl-domicile", "freeze", "a"].iter().chain(&words);
            let error = Cli::try_parse_from(words).unwrap_err().to_string();
            assert!(error.contains("it is empty"), "{error}");
        }
    }

    #[test]
    fn a_directory_is_rendered_first() {
        let folder = env!("CARGO_MANIFEST_DIR");
        let error = input(Path::new(folder)).err().map(|error| error.to_string()).unwrap_or_default();
        let todo = format!("kubectl kustomize {folder} | kubectl domicile wrap ...");
        assert!(error.ends_with(&todo), "{error}");
    }
}
