//! What the provider asks of AWS, as the actions that a policy must allow, and what the READMEs say of it.

use std::collections::BTreeSet;

/// Requests whose action has another name, for S3's are older than its API.
const OTHERWISE: &[(&str, &str)] = &[
    ("s3:DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("s3:GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration"),
    ("s3:GetBucketCors", "s3:GetBucketCORS"),
    ("s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("s3:GetBucketReplication", "s3:GetReplicationConfiguration"),
    ("s3:GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
    ("s3:GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("s3:PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("s3:PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
];

/// What everybody may, and what the provider asks at its start and does without.
const FREE: &[&str] = &["sts:GetCallerIdentity", "iam:GetUser", "ec2:DescribeAccountAttributes"];

/// The actions of a log of Terraform's.
pub(super) fn asked(log: &str) -> BTreeSet<String> {
    let requests = log.lines().filter_map(|line| {
        let (service, rest) = line.split_once("DEBUG: Request ")?.1.split_once('/')?;
        let name = rest.split(|it: char| !it.is_ascii_alphanumeric()).next()?;
        Some(format!("{service}:{name}"))
    });
    let known = |asked: &str| OTHERWISE.iter().find(|(request, _)| *request == asked).map(|(_, action)| *action);
    let actions = requests.map(|asked| known(&asked).map_or(asked.clone(), str::to_owned));
    actions.filter(|action| !FREE.contains(&action.as_str())).collect()
}

/// Those of the list below `## Permissions`: lines `SERVICE: NAME, NAME`, that may go on indented.
pub(super) fn told(readme: &str) -> BTreeSet<String> {
    let section = readme.split_once("## Permissions\n").expect("a README has ## Permissions").1;
    let list = section.split_once("```text\n").and_then(|(_, rest)| rest.split_once("```")).expect("it has a list").0;
    let lines = list.replace("\n  ", " ");
    let services = lines.lines().map(|line| line.split_once(": ").expect("a line begins with its service"));
    services.flat_map(|(service, names)| names.split(", ").map(move |name| format!("{service}:{name}"))).collect()
}
