//! An independent judge of JSON Schemas, for tests.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// A schema that is sound by the draft that it names.
pub(crate) struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    /// # Panics
    /// On a schema that its own draft refuses.
    pub(crate) fn new(schema: Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("schema.json", schema).unwrap();
        let index = compiler.compile("schema.json", &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
        Self { schemas, index }
    }

    /// # Panics
    /// On text that is no schema.
    pub(crate) fn of(text: &str) -> Self {
        Self::new(serde_json::from_str(text).unwrap())
    }

    /// What an editor would mark in a document; empty when nothing.
    pub(crate) fn marks(&self, document: &Value) -> String {
        self.schemas.validate(document, self.index).err().map(|error| error.to_string()).unwrap_or_default()
    }
}
