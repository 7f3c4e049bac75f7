//! The ages of Proton's format, and where Hadron writes something else on purpose: differences that mean nothing.

/// Why a directory may differ from what Hadron renders of it, without anything being wrong. `docs/importing.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Age {
    /// Until January 2023.
    InputsOfText,
    /// Until May 2022.
    ComponentsOfText,
    /// Before components.
    NoComponents,
    /// Until September 2022, and in some accounts after it.
    NoTags,
    /// Of components, whose tags came last.
    OtherTags,
    /// Before values named their resource.
    NoComment,
    /// Of pipelines.
    PipelineId,
    /// Until March 2022.
    NoDeletedFlag,
    /// The preview of components.
    PreviewComponent,
    /// A `default = null` more or less.
    NullDefault,
    /// Blanks in the generated file.
    Blanks,
    /// Line ends and blank lines at a file's ends.
    LineEnds,
    /// Only `.tf` files were copied.
    OnlyTerraformFiles,
    /// A file that a person laid beside.
    ByHand,
    /// What others said at that time.
    EarlierFacts,
    /// Hadron's own type for a pipeline's instances.
    TupleOfInstances,
    /// Hadron's own type for a component's inputs.
    ComponentInputs,
}

impl Age {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 17] = [
        Self::InputsOfText,
        Self::ComponentsOfText,
        Self::NoComponents,
        Self::NoTags,
        Self::OtherTags,
        Self::NoComment,
        Self::PipelineId,
        Self::NoDeletedFlag,
        Self::PreviewComponent,
        Self::NullDefault,
        Self::Blanks,
        Self::LineEnds,
        Self::OnlyTerraformFiles,
        Self::ByHand,
        Self::EarlierFacts,
        Self::TupleOfInstances,
        Self::ComponentInputs,
    ];

    /// The name that is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::InputsOfText => "inputs-map-of-string",
            Self::ComponentsOfText => "components-map-of-string",
            Self::NoComponents => "no-components",
            Self::NoTags => "no-proton-tags",
            Self::OtherTags => "other-proton-tags",
            Self::NoComment => "no-comment",
            Self::PipelineId => "pipeline-id",
            Self::NoDeletedFlag => "no-deleted-flag",
            Self::PreviewComponent => "preview-component",
            Self::NullDefault => "null-default",
            Self::Blanks => "blanks",
            Self::LineEnds => "line-ends",
            Self::OnlyTerraformFiles => "only-tf-files",
            Self::ByHand => "by-hand",
            Self::EarlierFacts => "earlier-facts",
            Self::TupleOfInstances => "tuple-of-instances",
            Self::ComponentInputs => "component-inputs-any",
        }
    }

    /// What it means, in a sentence.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::InputsOfText => "until January 2023 Proton declared inputs as map(string), later as any",
            Self::ComponentsOfText => "until May 2022 Proton declared components as map(string), later as map(any)",
            Self::NoComponents => "before components Proton gave an instance none",
            Self::NoTags => "until September 2022, and in some accounts later, Proton gave no proton_tags",
            Self::OtherTags => "Proton's proton_tags had fewer keys, or others, than Hadron's",
            Self::NoComment => "the first values didn't name their resource under \"//\"",
            Self::PipelineId => "the ARN of a pipeline carried an id, which Hadron's has not",
            Self::NoDeletedFlag => "until March 2022 the metadata had no isResourceDeleted",
            Self::PreviewComponent => "components of the preview had a type of their own (CUSTOM_ISOLATED)",
            Self::NullDefault => "Proton gave a variable `default = null` in some years and not in others",
            Self::Blanks => "Proton's generated file was not formatted everywhere as `terraform fmt` does",
            Self::LineEnds => {
                "Git or an editor changed line ends, the byte order mark, or blank lines at a file's ends"
            }
            Self::OnlyTerraformFiles => "Proton copied only the .tf files of a bundle's folder, Hadron copies all",
            Self::ByHand => "a person laid this file beside Proton's; it is not part of the template",
            Self::EarlierFacts => "outputs or instances of others have changed since this was rendered",
            Self::TupleOfInstances => {
                "Hadron declares a pipeline's instances as a tuple where a list would turn inputs into text"
            }
            Self::ComponentInputs => "Hadron declares a component's inputs as any where map(string) would fail",
        }
    }
}
