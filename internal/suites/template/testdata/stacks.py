"""Creates stacks of a SAM template with moto's CloudFormation: stacks.py <endpoint> <template> <stack>...

The template is transformed by SAM's own translator. What moto 5.2 lacks is taken out or replaced by what it has:
aliases of functions, deployments and stages of an API, references to a bus in a rule, functions without a name.
moto creates the rest for real, and fails where a reference does not resolve.
"""

import io
import json
import logging
import sys
import zipfile

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

logging.disable(logging.CRITICAL)
endpoint, path = sys.argv[1:3]
session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-west-1")

template = yaml_parse(open(path).read())
template["Globals"]["Function"]["CodeUri"] = "s3://code/code"
template = Translator({}, Parser(), None, session).translate(template, {})
resources = template["Resources"]
aliases = {}
for name, resource in list(resources.items()):
    kind, properties = resource["Type"], resource.get("Properties", {})
    if kind == "AWS::Lambda::Function":
        properties["FunctionName"] = {"Fn::Sub": "${AWS::StackName}-" + name}
    elif kind == "AWS::Lambda::Alias":
        aliases[name] = properties["FunctionName"]["Ref"]
        del resources[name]
    elif kind in ("AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage"):
        del resources[name]
    elif kind == "AWS::Events::Rule" and "EventBusName" in properties:
        properties["EventBusName"] = resources[properties["EventBusName"]["Ref"]]["Properties"]["Name"]
text = json.dumps(template, default=str)
for alias, function in aliases.items():
    text = text.replace('{"Ref": "%s"}' % alias, '{"Fn::GetAtt": ["%s", "Arn"]}' % function)
    text = text.replace("${%s}" % alias, "${%s.Arn}" % function)

code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("bootstrap", "")
s3 = session.client("s3", endpoint_url=endpoint)
s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
s3.put_object(Bucket="code", Key="code", Body=code.getvalue())
s3.put_object(Bucket="code", Key="template.json", Body=text)

cloudformation = session.client("cloudformation", endpoint_url=endpoint)
for name in sys.argv[3:]:
    cloudformation.create_stack(
        StackName=name, TemplateURL="https://code.s3.amazonaws.com/template.json", Capabilities=["CAPABILITY_IAM"]
    )
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    created = sum(len(page["StackResourceSummaries"]) for page in pages)
    print(name, stack["StackStatus"], created)
