//! The words that every Terraform file carries: above the generated ones, below the author's.

/// The words as a comment that ends with its line.
pub(super) fn text(arn: &str, is_resource_deleted: bool) -> String {
    format!("/*\n{}\n*/\n", words(arn, is_resource_deleted))
}

/// Whose file this is. Once the resource is gone, it is nobody's.
pub(super) fn words(arn: &str, is_resource_deleted: bool) -> String {
    if is_resource_deleted {
        return format!("Hadron no longer manages this file: {arn} has been deleted.");
    }
    format!(
        "Managed by Hadron for {arn}.\n\nThe next deployment writes this file anew, and changes made here are lost: change \
         the template or the spec.\nIf the resource is gone from Hadron, what this file made may still exist."
    )
}
