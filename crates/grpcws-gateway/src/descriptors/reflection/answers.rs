//! What is asked of an upstream, and what it has answered.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use grpcws::{Code, Status};
use grpcws_json::MissingType;
use tonic_reflection::pb::v1::ExtensionRequest;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::descriptors::files::{DescriptorFile, FileSet};
use crate::descriptors::options::DescriptorOptions;
use crate::descriptors::{builtin, size};

/// Why descriptors could not be fetched.
#[derive(Debug)]
pub(super) enum Failure {
    /// The stream ended with this status.
    Stream(Status),
    /// The stream ended, without a fault, before its last answer.
    Ended,
    /// An answer is an error without which nothing goes on, or is none.
    Answer(Status),
    /// A limit was exceeded.
    Limit(String),
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Question {
    Services,
    /// The file that declares this name.
    Symbol(String),
    /// The file of this name.
    File(String),
    /// The file that declares the extension of this message with this number.
    Extension(String, i32),
}

impl Question {
    pub(super) fn request(&self) -> MessageRequest {
        match self {
            Self::Services => MessageRequest::ListServices(String::new()),
            Self::Symbol(name) => MessageRequest::FileContainingSymbol(name.clone()),
            Self::File(name) => MessageRequest::FileByFilename(name.clone()),
            Self::Extension(message, number) => MessageRequest::FileContainingExtension(ExtensionRequest {
                containing_type: message.clone(),
                extension_number: *number,
            }),
        }
    }

    /// The question whose answer is the file with a type.
    pub(super) fn about(missing: &MissingType) -> Option<Self> {
        match missing {
            MissingType::Symbol(name) => Some(Self::Symbol(name.clone())),
            MissingType::Extension { message, number } => {
                Some(Self::Extension(message.clone(), i32::try_from(*number).ok()?))
            }
            _ => None,
        }
    }
}

/// Questions that are open, and the files that came.
pub(super) struct Answers {
    files: FileSet,
    /// The names that are declared by the files.
    declared: HashSet<String>,
    /// The services that the upstream says it has.
    registered: Vec<String>,
    queue: VecDeque<Question>,
    /// Every question that was ever queued.
    asked: HashSet<Question>,
    /// Those that are asked a second time.
    postponed: HashSet<Question>,
    /// What the upstream cannot tell.
    missing: Vec<(Question, Status)>,
    bytes: usize,
    declarations: usize,
    max_bytes: usize,
    max_files: usize,
    max_declarations: usize,
}

/// What an upstream has told.
#[derive(Debug)]
pub(in crate::descriptors) struct Described {
    pub(in crate::descriptors) files: Arc<FileSet>,
    /// The services that it says it has, sorted.
    pub(in crate::descriptors) registered: Arc<[String]>,
}

impl Answers {
    /// The questions about everything, and about these types.
    pub(super) fn new(options: &DescriptorOptions, types: &[MissingType]) -> Self {
        let mut answers = Self::without_questions(options, FileSet::default());
        answers.ask(Question::Services);
        for name in &options.symbols {
            answers.ask(Question::Symbol(name.clone()));
        }
        types.iter().filter_map(Question::about).for_each(|question| answers.ask(question));
        answers
    }

    /// The questions about these types, where some files are known.
    pub(super) fn about(options: &DescriptorOptions, types: &[MissingType], known: &FileSet) -> Self {
        let mut answers = Self::without_questions(options, known.clone());
        answers.bytes = known.bytes();
        types.iter().filter_map(Question::about).for_each(|question| answers.ask(question));
        answers
    }

    fn without_questions(options: &DescriptorOptions, files: FileSet) -> Self {
        Self {
            files,
            declared: HashSet::new(),
            registered: Vec::new(),
            queue: VecDeque::new(),
            asked: HashSet::new(),
            postponed: HashSet::new(),
            missing: Vec::new(),
            bytes: 0,
            declarations: 0,
            max_bytes: options.max_bytes,
            max_files: options.max_files,
            max_declarations: options.max_declarations,
        }
    }

    /// The next question whose answer is not known meanwhile.
    pub(super) fn next(&mut self) -> Option<Question> {
        loop {
            let question = self.queue.pop_front()?;
            let known = match &question {
                Question::Services | Question::Extension(..) => false,
                Question::Symbol(name) => self.declared.contains(name),
                Question::File(name) => self.files.file(name).is_some(),
            };
            if !known {
                return Some(question);
            }
        }
    }

    /// Puts back questions that got no answer, in their order.
    pub(super) fn put_back(&mut self, questions: VecDeque<Question>) {
        for question in questions.into_iter().rev() {
            self.queue.push_front(question);
        }
    }

    /// Puts a question behind all others; `false` if it was before.
    pub(super) fn postpone(&mut self, question: &Question) -> bool {
        let first = self.postponed.insert(question.clone());
        if first {
            self.queue.push_back(question.clone());
        }
        first
    }

    fn ask(&mut self, question: Question) {
        // Each file and each service has one, and those that are left find out which limit it was.
        if self.asked.len() <= self.max_files.saturating_mul(2) && self.asked.insert(question.clone()) {
            self.queue.push_back(question);
        }
    }

    pub(super) fn take(
        &mut self,
        question: &Question,
        answer: Option<MessageResponse>,
    ) -> Result<(), Failure> {
        match (question, answer) {
            (_, Some(MessageResponse::ErrorResponse(error))) => {
                let code = Code::from_number(error.error_code.into());
                self.failed(question, Status::new(code, error.error_message))
            }
            (Question::Services, Some(MessageResponse::ListServicesResponse(list))) => {
                if list.service.len() > self.max_files {
                    return Err(Failure::Limit(format!("{} services", self.max_files)));
                }
                for service in list.service {
                    self.registered.push(service.name.trim_matches('.').to_owned());
                    self.ask(Question::Symbol(service.name));
                }
                Ok(())
            }
            (
                Question::Symbol(_) | Question::File(_) | Question::Extension(..),
                Some(MessageResponse::FileDescriptorResponse(found)),
            ) => found.file_descriptor_proto.into_iter().try_for_each(|bytes| self.take_file(bytes.into())),
            _ => Err(broken("server reflection answered another question")),
        }
    }

    fn take_file(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let no_descriptor = |error| broken(format!("server reflection sent no descriptor: {error}"));
        let declarations = size::declarations(&bytes);
        if self.declarations.saturating_add(declarations) > self.max_declarations {
            return Err(Failure::Limit(format!(
                "{} declarations (--max-declarations)",
                self.max_declarations
            )));
        }
        let file = DescriptorFile::decode(bytes).map_err(no_descriptor)?;
        if self.files.file(file.name()).is_some() {
            return Ok(());
        }
        self.declarations += declarations;
        self.bytes = self.bytes.saturating_add(file.len());
        if self.bytes > self.max_bytes {
            return Err(Failure::Limit(format!("{} bytes", self.max_bytes)));
        }
        if self.files.len() >= self.max_files {
            return Err(Failure::Limit(format!("{} files", self.max_files)));
        }
        let outline = file.outline();
        for import in &outline.imports {
            if builtin::files().file(import).is_none() {
                self.ask(Question::File(import.clone()));
            }
        }
        self.declared.extend(outline.declared());
        self.files.insert(file);
        Ok(())
    }

    /// A question that the upstream cannot answer is an answer, but for the first one.
    pub(super) fn failed(&mut self, question: &Question, status: Status) -> Result<(), Failure> {
        if *question == Question::Services {
            return Err(Failure::Answer(status));
        }
        self.missing.push((question.clone(), status));
        Ok(())
    }

    /// Whether a question about a type had no answer.
    pub(super) fn is_absent(&self, missing: &MissingType) -> bool {
        let Some(question) = Question::about(missing) else { return true };
        self.missing.iter().any(|(absent, _)| *absent == question)
    }

    pub(super) fn into_files(self) -> FileSet {
        self.files
    }

    /// What the upstream has told; logs what was not to be had.
    pub(super) fn finish(mut self, upstream: &str) -> Described {
        for (question, status) in &self.missing {
            match question {
                Question::Symbol(name) => {
                    tracing::info!(upstream, name, %status, "server reflection does not describe it");
                }
                // It matters only where one of its types is used, which is told then.
                Question::File(name) => {
                    tracing::debug!(upstream, name, %status, "server reflection does not have the file");
                }
                Question::Extension(message, number) => {
                    tracing::debug!(upstream, message, number, %status, "server reflection does not have the extension");
                }
                Question::Services => {}
            }
        }
        self.registered.sort_unstable();
        self.registered.dedup();
        Described { files: Arc::new(self.files), registered: self.registered.into() }
    }
}

/// An upstream that does not keep to the protocol of reflection.
fn broken(message: impl Into<String>) -> Failure {
    Failure::Answer(Status::new(Code::Internal, message))
}
