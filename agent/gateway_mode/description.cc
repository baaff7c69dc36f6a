// The description of the two operations that are served, for clients that ask for it before they call.
#include "agent/gateway_mode/soap.h"

namespace postern::agent::soap {
namespace {

constexpr std::string_view before_location = R"(<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://www.w3.org/2001/XMLSchema"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
    xmlns:tns="http://tempuri.org/" targetNamespace="http://tempuri.org/">
  <wsdl:types>
    <s:schema elementFormDefault="qualified" targetNamespace="http://tempuri.org/">
      <s:element name="GetSpoolMessageCount">
        <s:complexType>
          <s:sequence>
            <s:element minOccurs="0" maxOccurs="1" name="AuthUserName" type="s:string"/>
            <s:element minOccurs="0" maxOccurs="1" name="AuthPassword" type="s:string"/>
          </s:sequence>
        </s:complexType>
      </s:element>
      <s:element name="GetSpoolMessageCountResponse">
        <s:complexType>
          <s:sequence>
            <s:element minOccurs="1" maxOccurs="1" name="GetSpoolMessageCountResult" type="tns:MessageCountResult"/>
          </s:sequence>
        </s:complexType>
      </s:element>
      <s:complexType name="MessageCountResult">
        <s:sequence>
          <s:element minOccurs="1" maxOccurs="1" name="Result" type="s:boolean"/>
          <s:element minOccurs="1" maxOccurs="1" name="ResultCode" type="s:int"/>
          <s:element minOccurs="0" maxOccurs="1" name="Message" type="s:string"/>
          <s:element minOccurs="1" maxOccurs="1" name="messageCount" type="s:int"/>
        </s:sequence>
      </s:complexType>
      <s:element name="RequestStatus">
        <s:complexType>
          <s:sequence>
            <s:element minOccurs="0" maxOccurs="1" name="AuthUserName" type="s:string"/>
            <s:element minOccurs="0" maxOccurs="1" name="AuthPassword" type="s:string"/>
            <s:element minOccurs="0" maxOccurs="1" name="reqStats" type="tns:ArrayOfString"/>
          </s:sequence>
        </s:complexType>
      </s:element>
      <s:element name="RequestStatusResponse">
        <s:complexType>
          <s:sequence>
            <s:element minOccurs="1" maxOccurs="1" name="RequestStatusResult" type="tns:RequestStatusResult"/>
          </s:sequence>
        </s:complexType>
      </s:element>
      <s:complexType name="RequestStatusResult">
        <s:sequence>
          <s:element minOccurs="1" maxOccurs="1" name="Result" type="s:boolean"/>
          <s:element minOccurs="1" maxOccurs="1" name="ResultCode" type="s:int"/>
          <s:element minOccurs="0" maxOccurs="1" name="Message" type="s:string"/>
          <s:element minOccurs="0" maxOccurs="1" name="KeyValuePairs" type="tns:ArrayOfString"/>
        </s:sequence>
      </s:complexType>
      <s:complexType name="ArrayOfString">
        <s:sequence>
          <s:element minOccurs="0" maxOccurs="unbounded" name="string" nillable="true" type="s:string"/>
        </s:sequence>
      </s:complexType>
    </s:schema>
  </wsdl:types>
  <wsdl:message name="GetSpoolMessageCountSoapIn">
    <wsdl:part name="parameters" element="tns:GetSpoolMessageCount"/>
  </wsdl:message>
  <wsdl:message name="GetSpoolMessageCountSoapOut">
    <wsdl:part name="parameters" element="tns:GetSpoolMessageCountResponse"/>
  </wsdl:message>
  <wsdl:message name="RequestStatusSoapIn">
    <wsdl:part name="parameters" element="tns:RequestStatus"/>
  </wsdl:message>
  <wsdl:message name="RequestStatusSoapOut">
    <wsdl:part name="parameters" element="tns:RequestStatusResponse"/>
  </wsdl:message>
  <wsdl:portType name="svcServerAdminSoap">
    <wsdl:operation name="GetSpoolMessageCount">
      <wsdl:input message="tns:GetSpoolMessageCountSoapIn"/>
      <wsdl:output message="tns:GetSpoolMessageCountSoapOut"/>
    </wsdl:operation>
    <wsdl:operation name="RequestStatus">
      <wsdl:input message="tns:RequestStatusSoapIn"/>
      <wsdl:output message="tns:RequestStatusSoapOut"/>
    </wsdl:operation>
  </wsdl:portType>
)";

std::string binding_operation(std::string_view prefix, const std::string& name) {
    const std::string p(prefix);
    return "    <wsdl:operation name=\"" + name + "\">\n      <" + p +
           ":operation soapAction=\"http://tempuri.org/" + name +
           "\" style=\"document\"/>\n      <wsdl:input><" + p + ":body use=\"literal\"/></wsdl:input>\n" +
           "      <wsdl:output><" + p + ":body use=\"literal\"/></wsdl:output>\n    </wsdl:operation>\n";
}

std::string binding(const std::string& name, std::string_view prefix) {
    return "  <wsdl:binding name=\"" + name + "\" type=\"tns:svcServerAdminSoap\">\n    <" +
           std::string(prefix) + ":binding transport=\"http://schemas.xmlsoap.org/soap/http\"/>\n" +
           binding_operation(prefix, "GetSpoolMessageCount") + binding_operation(prefix, "RequestStatus") +
           "  </wsdl:binding>\n";
}

std::string port(const std::string& name, std::string_view prefix, const std::string& location) {
    return "    <wsdl:port name=\"" + name + "\" binding=\"tns:" + name + "\">\n      <" +
           std::string(prefix) + ":address location=\"" + location + "\"/>\n    </wsdl:port>\n";
}

}  // namespace

std::string service_description(std::string_view location) {
    const std::string place = escaped(location);
    std::string xml(before_location);
    xml += binding("svcServerAdminSoap", "soap") + binding("svcServerAdminSoap12", "soap12");
    xml += "  <wsdl:service name=\"svcServerAdmin\">\n";
    xml += port("svcServerAdminSoap", "soap", place) + port("svcServerAdminSoap12", "soap12", place);
    return xml + "  </wsdl:service>\n</wsdl:definitions>\n";
}

}  // namespace postern::agent::soap
