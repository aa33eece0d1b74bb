//! What the scripted model will say, step by step.

use crate::KitError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Named lists of steps. A request that carries `[[script:NAME]]` in a user message plays `NAME`
/// (that is how a sub-agent gets a script of its own); any other request plays `main`.
///
/// As JSON: `{"main": [{"tools": [{"name": …, "input": …}]}, {"text": …}], "sub": […]}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Script(BTreeMap<String, Vec<Step>>);

/// One turn of the assistant: text, or one or more calls side by side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Text before the calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// Text that ends the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Calls that the model proposes in this turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Call>,
}

/// One call that the model proposes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tool's name as the agent knows it (`Bash`, `Read`, `mcp__probe__write_record` …).
    pub name: String,
    /// The tool's input.
    pub input: Value,
}

impl Script {
    /// A script whose `main` list is `steps`.
    pub fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(BTreeMap::from([("main".to_owned(), steps.into_iter().collect())]))
    }

    /// Adds the list that a sub-agent plays whose prompt carries `[[script:NAME]]`.
    #[must_use]
    pub fn and(mut self, name: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        self.0.insert(name.to_owned(), steps.into_iter().collect());
        self
    }

    /// Reads a script from a JSON file.
    ///
    /// # Errors
    /// When the file cannot be read, is not a script, or has no `main` list.
    pub fn from_file(path: &Path) -> Result<Self, KitError> {
        let text = std::fs::read_to_string(path).map_err(|e| KitError::file(path, e))?;
        let invalid =
            |why: String| KitError::Invalid { what: format!("the script `{}`", path.display()), why };
        let script: Self = serde_json::from_str(&text).map_err(|e| invalid(e.to_string()))?;
        if script.0.contains_key("main") { Ok(script) } else { Err(invalid("it has no `main` list".into())) }
    }

    /// The name of the list to play, given all text of the user's messages.
    pub(crate) fn choose(&self, user_text: &str) -> &str {
        user_text
            .split("[[script:")
            .skip(1)
            .filter_map(|rest| rest.split_once("]]"))
            .find_map(|(name, _)| self.0.get_key_value(name))
            .map_or("main", |(name, _)| name.as_str())
    }

    /// The step at `index` of the list `name`; a closing text after its end.
    pub(crate) fn step(&self, name: &str, index: usize) -> Step {
        self.0
            .get(name)
            .and_then(|steps| steps.get(index))
            .cloned()
            .unwrap_or_else(|| Step::text("END OF SCRIPT"))
    }
}

impl Step {
    /// Final words: ends the turn.
    pub fn text(text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::default() }
    }

    /// One call.
    pub fn call(tool: &str, input: Value) -> Self {
        Self { tools: vec![Call { name: tool.to_owned(), input }], ..Self::default() }
    }

    /// One `Bash` call.
    pub fn bash(command: &str) -> Self {
        Self::call("Bash", json!({"command": command, "description": "a step of the script"}))
    }

    /// One `Read` call.
    pub fn read(file: impl AsRef<Path>) -> Self {
        Self::call("Read", json!({"file_path": file.as_ref()}))
    }

    /// One `Write` call.
    pub fn write(file: impl AsRef<Path>, content: &str) -> Self {
        Self::call("Write", json!({"file_path": file.as_ref(), "content": content}))
    }

    /// One `Edit` call. Claude refuses it unless the session has read the file before.
    pub fn edit(file: impl AsRef<Path>, old: &str, new: &str) -> Self {
        Self::call("Edit", json!({"file_path": file.as_ref(), "old_string": old, "new_string": new}))
    }

    /// Starts a sub-agent that plays the list `script`.
    pub fn subagent(script: &str) -> Self {
        let prompt = format!("[[script:{script}]] go");
        Self::call(
            "Agent",
            json!({"description": "sub", "prompt": prompt, "subagent_type": "general-purpose"}),
        )
    }

    /// Several calls in one turn.
    pub fn together(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { tools: steps.into_iter().flat_map(|s| s.tools).collect(), ..Self::default() }
    }

    /// Puts text before the calls.
    #[must_use]
    pub fn saying(mut self, text: &str) -> Self {
        self.say = Some(text.to_owned());
        self
    }
}

/// The id of call `call` of step `step` in list `name`: it carries the step, so that the next request tells where the script is.
pub(crate) fn call_id(name: &str, step: usize, call: usize) -> String {
    format!("toolu_{name}s{step:02}c{call}")
}

/// How many steps the ids in a history show to be done: the highest step named, plus one.
pub(crate) fn steps_done<'a>(ids: impl Iterator<Item = &'a str>) -> usize {
    ids.filter_map(|id| {
        let (head, call) = id.rsplit_once('c')?;
        call.parse::<usize>().ok()?;
        head.rsplit_once('s')?.1.parse::<usize>().ok()
    })
    .max()
    .map_or(0, |highest| highest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_tells_which_step_comes_next() {
        assert_eq!(steps_done([].into_iter()), 0);
        let ids = [call_id("main", 0, 0), call_id("cases", 12, 1), "toolu_of_someone_else".to_owned()];
        assert_eq!(steps_done(ids.iter().map(String::as_str)), 13);
    }

    #[test]
    fn a_prompt_chooses_a_known_script_only() {
        let script = Script::of([Step::text("a")]).and("sub", [Step::text("b")]);
        assert_eq!(script.choose("hello"), "main");
        assert_eq!(script.choose("x [[script:nobody]] y [[script:sub]] go"), "sub");
        assert_eq!(script.step("sub", 0), Step::text("b"));
        assert_eq!(script.step("sub", 1), Step::text("END OF SCRIPT"));
    }

    #[test]
    fn the_json_form_is_the_documented_one() {
        let text = r#"{"main":[{"tools":[{"name":"Bash","input":{"command":"ls"}}]},{"text":"done"}]}"#;
        let script: Script = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&script).unwrap(), text);
        assert!(serde_json::from_str::<Script>(r#"{"main":[{"txt":"typo"}]}"#).is_err());
    }
}
